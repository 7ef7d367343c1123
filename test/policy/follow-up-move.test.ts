import { describe, expect, it } from 'vitest';
import { followUpMove } from '../../workflows/policy/follow-up-move.ts';
import { NOW_MS, settings } from '../support/cluster-builders.ts';
import { aChunkInFlight } from '../support/move-builders.ts';

/** The lab: stuck after 10 s, 3 retries. */
const after = (secs: number, attempts: number) =>
  followUpMove(aChunkInFlight({ sentAtMs: NOW_MS - secs * 1000, attempts }), settings, NOW_MS);

describe('followUpMove', () => {
  it.each([
    { secs: 0, attempts: 1, expected: 'wait' },
    { secs: 9.999, attempts: 1, expected: 'wait' },
    { secs: 10, attempts: 1, expected: 'retry' },
    { secs: 10, attempts: 2, expected: 'retry' },
    { secs: 10, attempts: 3, expected: 'retry' },
    { secs: 10, attempts: 4, expected: 'force' },
    { secs: 9.999, attempts: 4, expected: 'wait' },
    { secs: 900, attempts: 40, expected: 'force' },
    { secs: -3, attempts: 4, expected: 'wait' },
  ])('says $expected after $secs s and $attempts attempts', ({ secs, attempts, expected }) => {
    expect(after(secs, attempts)).toBe(expected);
  });

  it('tries three times again before it forces', () => {
    const answers = [1, 2, 3, 4].map((attempts) => after(10, attempts));
    expect(answers).toEqual(['retry', 'retry', 'retry', 'force']);
  });

  it('waits for a chunk that is planned and not sent yet, however long that is', () => {
    expect(after(NOW_MS / 1000, 0)).toBe('wait');
  });
});
