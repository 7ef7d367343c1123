/** Progress of one operation as every page shows it. */
import type { Operation } from '../api/model.ts';
import { doneShare, progressTotal, timeLeft, type Counts } from './operations.ts';

export interface Progress {
  /** Users of the whole operation. */
  readonly total: number;
  /** Users accounted for, 0 to 1. */
  readonly share: number;
  /** Users not yet accounted for, also those that are not planned yet. */
  readonly left: number;
  /** Users a second since the start; null before it. */
  readonly rate: number | null;
  /** A range, or null where nothing moves. */
  readonly timeLeft: string | null;
}

export function progressOf(operation: Operation): Progress {
  const { counts, originalCount, isEnded, confirmedPerSec } = operation;
  const total = progressTotal(counts, originalCount);
  const left = total - endedOf(counts);
  const isMoving = operation.state === 'running' || operation.state === 'verifying';
  return {
    total,
    left,
    share: doneShare({ ...counts, planned: total, remaining: left }, isEnded),
    rate: confirmedPerSec,
    timeLeft: isMoving ? timeLeft(left, confirmedPerSec) : null,
  };
}

/** Users that are done with, in one way or another. */
export function endedOf({ confirmed, skipped, failed }: Counts): number {
  return confirmed + skipped + failed;
}
