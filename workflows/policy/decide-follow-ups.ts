import type { MovesSnapshot } from '../domain/cluster-snapshot.ts';
import { newDecision, type Decision, type DecisionKind, type Reason } from '../domain/decision.ts';
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

/** The same as decisions, to be recorded before anything is done; empty: all moves are on time. */
export function decideFollowUps(moves: MovesSnapshot): Decision[] {
  return moves.open.flatMap((open) => {
    const followUp = decideFollowUp(open, moves.settings, moves.takenAtMs);
    return followUp === null ? [] : toDecisions(open.operation, followUp);
  });
}

function toDecisions(operation: Operation, followUp: OperationFollowUp): Decision[] {
  const { isMoverMissing, retryChunks, forceChunks } = followUp;
  const answer = (kind: DecisionKind, reason: Reason, chunks: readonly number[]): Decision =>
    newDecision('check_user_moves', kind, reason, {
      hosts: [operation.sourceHost],
      backendId: operation.sourceId,
      operationId: operation.operationId,
      numbers: chunks.length === 0 ? {} : { chunks: chunks.length },
      detail: chunks.length === 0 ? null : chunks.join(' '),
    });
  if (isMoverMissing) return [answer('restartMover', 'MoverMissing', [])];
  return [
    ...(retryChunks.length === 0 ? [] : [answer('retryMoves', 'MoveStuck', retryChunks)]),
    ...(forceChunks.length === 0 ? [] : [answer('forceMoves', 'RetriesExhausted', forceChunks)]),
  ];
}
