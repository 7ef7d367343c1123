import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkSizeOf, isRoundOver, roundSize } from '../../workflows/policy/plan-evacuation.ts';
import { holdsFor } from '../support/property.ts';

describe('roundSize', () => {
  it.each([
    { original: 500, ratio: 0.2, left: 500, expected: 100 },
    { original: 503, ratio: 0.2, left: 503, expected: 101 },
    { original: 500, ratio: 0.2, left: 60, expected: 60 },
    { original: 500, ratio: 0.2, left: 0, expected: 0 },
    { original: 3, ratio: 0.2, left: 3, expected: 1 },
    { original: 20, ratio: 1, left: 20, expected: 20 },
    { original: 0, ratio: 0.2, left: 7, expected: 1 },
  ])('moves $expected of $left left of $original at a step of $ratio', (given) => {
    expect(roundSize(given.original, given.ratio, given.left)).toBe(given.expected);
  });

  it.each([0, -0.1, 1.01])('calls the programmer for a step of %s', (ratio) => {
    expect(() => roundSize(100, ratio, 100)).toThrow('the step is a share');
  });

  it('ends an evacuation in no more rounds than the step allows', () => {
    const sizes = fc.record({
      original: fc.integer({ min: 1, max: 100_000 }),
      percent: fc.integer({ min: 1, max: 100 }),
    });
    holdsFor(sizes, ({ original, percent }) => {
      let left = original;
      let rounds = 0;
      while (left > 0) {
        const users = roundSize(original, percent / 100, left);
        expect(users).toBeGreaterThan(0);
        expect(users).toBeLessThanOrEqual(left);
        left -= users;
        rounds += 1;
      }
      expect(rounds).toBeLessThanOrEqual(Math.ceil(100 / percent));
    });
  });
});

describe('chunkSizeOf', () => {
  it.each([
    { users: 100, speed: 100, expected: 25 },
    { users: 101, speed: 100, expected: 26 },
    { users: 5_000, speed: 100, expected: 200 },
    { users: 5_000, speed: 50, expected: 100 },
    { users: 5_000, speed: 1, expected: 2 },
    { users: 5_000, speed: 0.1, expected: 1 },
    { users: 3, speed: 100, expected: 1 },
    { users: 0, speed: 100, expected: 1 },
  ])('cuts $users users at $speed per cent into chunks of $expected', (given) => {
    expect(chunkSizeOf(given.users, given.speed)).toBe(given.expected);
  });
});

describe('isRoundOver', () => {
  it.each([
    { planned: 100, remaining: 5, expected: true },
    { planned: 100, remaining: 6, expected: false },
    { planned: 20, remaining: 1, expected: true },
    { planned: 19, remaining: 1, expected: false },
    { planned: 40, remaining: 2, expected: true },
    { planned: 0, remaining: 0, expected: true },
    { planned: 0, remaining: 1, expected: false },
  ])('with $remaining of $planned remaining: $expected', ({ planned, remaining, expected }) => {
    expect(isRoundOver(planned, remaining)).toBe(expected);
  });
});
