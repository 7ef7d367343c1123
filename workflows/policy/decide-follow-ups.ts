import type { Operation } from '../domain/operation.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';
import type { ChunkInFlight } from '../domain/user-move.ts';
import { followUpMove } from './follow-up-move.ts';

export interface OperationFollowUp {
  readonly operationId: string;
  readonly sourceHost: string;
  readonly retryChunks: readonly number[];
  readonly forceChunks: readonly number[];
  /** The mover is gone although its operation has not ended. */
  readonly isMoverMissing: boolean;
}

/** What `check_user_moves` tells the mover of one open operation; null: nothing. */
export function decideFollowUp(
  open: {
    readonly operation: Operation;
    readonly isMoverRunning: boolean;
    readonly chunks: readonly ChunkInFlight[];
  },
  settings: PolicySettings,
  nowMs: number,
): OperationFollowUp | null {
  const { operation, isMoverRunning } = open;
  const answers = open.chunks.map((chunk) => ({
    chunk: chunk.chunk,
    followUp: followUpMove(chunk, settings, nowMs),
  }));
  const numbersOf = (wanted: 'retry' | 'force'): number[] =>
    answers.filter((each) => each.followUp === wanted).map((each) => each.chunk);
  const retryChunks = numbersOf('retry');
  const forceChunks = numbersOf('force');
  // A request that was just accepted may not have reached its mover's first step.
  const isOld = nowMs - operation.updatedAtMs > settings.userMoveStuckSecs * 1000;
  const isMoverMissing = !isMoverRunning && isOld;
  if (retryChunks.length + forceChunks.length === 0 && !isMoverMissing) return null;
  const { operationId, sourceHost } = operation;
  return { operationId, sourceHost, retryChunks, forceChunks, isMoverMissing };
}
