import { assert } from '../domain/assert.ts';

export const CHUNK_SIZE = 200;
export const LANES = 4;
/** A round ends when this share of it has ended; the rest is carried along. */
export const ROUND_ENDED_SHARE = 0.95;

/**
 * Users of the next round: a share of the *original* number, at least one.
 * Source: controller documentation, warning under "health checking" (20 % of the original number of
 * users instead of the current amount).
 */
export function roundSize(originalCount: number, stepRatio: number, left: number): number {
  assert(stepRatio > 0 && stepRatio <= 1, 'the step is a share above 0 and at most 1');
  return Math.min(left, Math.max(1, Math.ceil(originalCount * stepRatio)));
}

/** Chunks are small enough for every lane to have one, and never over 200 users. */
export function chunkSizeOf(users: number, speedPercent: number): number {
  const perLane = Math.ceil(users / LANES);
  return Math.max(1, Math.min(countedChunkSize(speedPercent), perLane));
}

/** Chunks that are only counted go one after the other, each with a look at everybody: as large as may be. */
export function countedChunkSize(speedPercent: number): number {
  return Math.max(1, Math.round((CHUNK_SIZE * speedPercent) / 100));
}

export function isRoundOver(roundPlanned: number, roundRemaining: number): boolean {
  return roundRemaining <= roundPlanned * (1 - ROUND_ENDED_SHARE);
}
