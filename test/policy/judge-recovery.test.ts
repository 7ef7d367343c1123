import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holdDownSecs, judgeRecovery } from '../../workflows/policy/judge-recovery.ts';
import {
  aMemory,
  counts,
  logins,
  NOW_MS,
  offlineByUs,
  settings,
} from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

/** The lab: 3 probes in 15 s; hold-down 15 s doubling to 60 s. */
const judge = (facts: ReturnType<typeof offlineByUs>, areDeliveriesSeen = false) =>
  judgeRecovery(facts, settings, { nowMs: NOW_MS, areDeliveriesSeen });
const probed = (succeeded: number, failed: number) => [logins(15, succeeded, failed)];
const delivered = (logged: number, taken: number, refused = 0) => [
  { windowSecs: 15, logins: counts(logged, 0), deliveries: counts(taken, refused) },
];

describe('judgeRecovery', () => {
  it.each([
    { name: 'three probes without a failure', attempts: probed(3, 0), expected: 'return' },
    { name: 'two probes', attempts: probed(2, 0), expected: 'notProven' },
    { name: 'no probe', attempts: probed(0, 0), expected: 'notProven' },
    { name: 'one failure among many successes', attempts: probed(50, 1), expected: 'notProven' },
    {
      name: 'no look-back that is long enough',
      attempts: [logins(10, 9, 0)],
      expected: 'notProven',
    },
    { name: 'no look-back at all', attempts: [], expected: 'notProven' },
    {
      name: 'failures before the look-back, in a longer one',
      attempts: [...probed(3, 0), logins(20, 3, 9)],
      expected: 'return',
    },
  ])('answers $expected for $name', ({ attempts, expected }) => {
    expect(judge(offlineByUs(20, { attempts })).answer).toBe(expected);
  });

  it.each([
    { name: 'as many deliveries as logins', attempts: delivered(3, 3), expected: 'return' },
    { name: 'too few deliveries', attempts: delivered(9, 2), expected: 'notProven' },
    { name: 'too few logins', attempts: delivered(2, 9), expected: 'notProven' },
    { name: 'a refused delivery', attempts: delivered(9, 9, 1), expected: 'notProven' },
  ])('where the site has deliveries, $name answers $expected', ({ attempts, expected }) => {
    expect(judge(offlineByUs(20, { attempts }), true).answer).toBe(expected);
  });

  it('counts a failed delivery also where the site has no deliveries', () => {
    expect(judge(offlineByUs(20, { attempts: delivered(9, 0, 1) })).answer).toBe('notProven');
  });

  it.each([
    { secs: 14.9, expected: 'hold' },
    { secs: 15, expected: 'return' },
  ])('after $secs s offline answers $expected', ({ secs, expected }) => {
    expect(judge(offlineByUs(secs, { attempts: probed(9, 0) })).answer).toBe(expected);
  });

  it('holds where it does not know since when the Backend is offline', () => {
    const facts = offlineByUs(99, { attempts: probed(9, 0), memory: aMemory() });
    expect(judge(facts)).toEqual({ answer: 'hold', holdSecs: 15, heldSecs: 0 });
  });

  it('says what it saw', () => {
    expect(judge(offlineByUs(20, { attempts: probed(4, 0) }))).toEqual({
      answer: 'return',
      successes: 4,
      windowSecs: 15,
    });
    expect(judge(offlineByUs(20, { attempts: [] }))).toEqual({
      answer: 'notProven',
      successes: 0,
      failures: 0,
      windowSecs: 15,
    });
  });
});

describe('holdDownSecs', () => {
  const after = (...minutesAgo: number[]) =>
    offlineByUs(0, {
      memory: aMemory({ returnedAtMs: minutesAgo.map((minutes) => NOW_MS - minutes * 60_000) }),
    });
  it.each([
    { name: 'no return', facts: after(), expected: 15 },
    { name: 'nothing remembered', facts: { ...after(), memory: null }, expected: 15 },
    { name: 'one return', facts: after(5), expected: 30 },
    { name: 'two returns', facts: after(5, 6), expected: 60 },
    { name: 'five returns', facts: after(1, 2, 3, 4, 5), expected: 60 },
    { name: 'a return an hour ago', facts: after(60), expected: 15 },
    { name: 'a return just within the hour', facts: after(59.9), expected: 30 },
  ])('is $expected s after $name', ({ facts, expected }) => {
    expect(holdDownSecs(facts, settings, NOW_MS)).toBe(expected);
  });

  it('lies between the window and the longest hold and never falls with more returns', () => {
    holdsFor(fc.nat(200), (returns) => {
      const minutes = Array.from({ length: returns }, () => 1);
      const less = holdDownSecs(after(...minutes), settings, NOW_MS);
      const more = holdDownSecs(after(...minutes, 1), settings, NOW_MS);
      expect(less).toBeGreaterThanOrEqual(settings.recoveryWindowSecs);
      expect(more).toBeLessThanOrEqual(settings.recoveryMaxHoldSecs);
      expect(more).toBeGreaterThanOrEqual(less);
    });
  });
});
