import { describe, expect, it } from 'vitest';
import { decideFollowUp } from '../../workflows/policy/decide-follow-ups.ts';
import { NOW_MS, settings } from '../support/cluster-builders.ts';
import { aChunkInFlight, aRow } from '../support/move-builders.ts';

const STUCK_MS = NOW_MS - 10_000;
const row = (updatedSecsAgo: number) =>
  aRow({ operationId: 'operation-1', updatedAtMs: NOW_MS - updatedSecsAgo * 1000 });
const decide = (open: Partial<Parameters<typeof decideFollowUp>[0]>) =>
  decideFollowUp(
    { operation: row(1), isMoverRunning: true, chunks: [], ...open },
    settings,
    NOW_MS,
  );

describe('decideFollowUp', () => {
  it('says nothing while all is on time', () => {
    const chunks = [aChunkInFlight({ sentAtMs: NOW_MS - 9_000 })];
    expect(decide({ chunks })).toBeNull();
    expect(decide({})).toBeNull();
  });

  it('names which chunks to try again and which to force', () => {
    const chunks = [
      aChunkInFlight({ chunk: 1, sentAtMs: STUCK_MS, attempts: 1 }),
      aChunkInFlight({ chunk: 2, sentAtMs: STUCK_MS, attempts: 4 }),
      aChunkInFlight({ chunk: 3, sentAtMs: NOW_MS, attempts: 4 }),
    ];
    expect(decide({ chunks })).toEqual({
      operationId: 'operation-1',
      sourceHost: 'mail1',
      retryChunks: [1],
      forceChunks: [2],
      isMoverMissing: false,
    });
  });

  it.each([
    { secs: 10, isMoverRunning: false, expected: undefined },
    { secs: 10.1, isMoverRunning: false, expected: true },
    { secs: 900, isMoverRunning: true, expected: undefined },
  ])('row of $secs s ago, mover running $isMoverRunning: missing $expected', (given) => {
    const { secs, isMoverRunning } = given;
    const answer = decide({ operation: row(secs), isMoverRunning });
    expect(answer?.isMoverMissing).toBe(given.expected);
  });
});
