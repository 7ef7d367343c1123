/** An operation is what somebody can watch: an evacuation, a batch move, a force move, a rebalance, a partial move. */
import type { MoveCounts } from './user-move.ts';

export const OPERATION_KINDS = [
  'evacuation',
  'partialMove',
  'batchMove',
  'forceMove',
  'drain',
  'rebalance',
  'finishMoves',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export const OPERATION_STATES = [
  'planned',
  'running',
  'paused',
  'verifying',
  'done',
  'cancelled',
  'failed',
  'superseded',
] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** Who asked: priority is health > operator > degraded > drain > rebalance > foreign (moves that others left). */
export const OPERATION_CAUSES = [
  'health',
  'operator',
  'degraded',
  'drain',
  'rebalance',
  'foreign',
] as const;
export type OperationCause = (typeof OPERATION_CAUSES)[number];

const NEXT_STATES: Readonly<Record<OperationState, readonly OperationState[]>> = {
  planned: ['running', 'paused', 'cancelled', 'failed', 'superseded'],
  running: ['paused', 'verifying', 'cancelled', 'failed', 'superseded'],
  paused: ['running', 'verifying', 'cancelled', 'failed', 'superseded'],
  verifying: ['running', 'paused', 'done', 'cancelled', 'failed', 'superseded'],
  done: [],
  cancelled: [],
  failed: [],
  superseded: [],
};

export function canBecome(from: OperationState, to: OperationState): boolean {
  return NEXT_STATES[from].includes(to);
}

export function isEnded(state: OperationState): boolean {
  return NEXT_STATES[state].length === 0;
}

/** Everything but an operator's wish is automatic. */
export function isAutomatic(cause: OperationCause): boolean {
  return cause !== 'operator';
}

/** The feature that has to be enabled for it; drains have none, and know only the site's switch. */
export function featureOf(
  cause: OperationCause,
): 'BackendLoadBalancing' | 'BackendHealthAutoHandling' | null {
  if (cause === 'drain') return null;
  return cause === 'rebalance' ? 'BackendLoadBalancing' : 'BackendHealthAutoHandling';
}

/** A higher cause supersedes a lower one; equal or lower is refused. */
export function outranks(newer: OperationCause, running: OperationCause): boolean {
  return OPERATION_CAUSES.indexOf(newer) < OPERATION_CAUSES.indexOf(running);
}

/** What was asked of a mover beyond what its row shows; whoever takes the operation up needs it again. */
export interface MoveOrder {
  /** Users to move; null: all. */
  readonly maxUsers: number | null;
  /** Share of the original count a round, 0 to 1. */
  readonly stepRatio: number;
  /** Seconds a user must have stayed; null: no limit (a critical Backend knows no cool time). */
  readonly minLastMovedSecs: number | null;
  /** Set the source offline once it is empty. */
  readonly endsOffline: boolean;
  /** Do not ask the source: write homes and end sessions at once. */
  readonly isForced: boolean;
  /** Whom exactly, by a list in the controller store; null or absent: chosen by the policy. */
  readonly selectionId?: string | null;
}

/** The row that API and UI read; the mover writes it at least once a second. */
export interface Operation {
  readonly operationId: string;
  readonly siteName: string;
  readonly kind: OperationKind;
  readonly cause: OperationCause;
  readonly sourceId: string;
  readonly sourceHost: string;
  readonly targetIds: readonly string[];
  readonly state: OperationState;
  /** Why it is in this state, as a code; null while nothing is worth saying. */
  readonly stateReason: string | null;
  readonly requestedBy: string;
  readonly reason: string;
  readonly decisionId: string | null;
  readonly originalCount: number;
  readonly round: number;
  readonly counts: MoveCounts;
  readonly stuck: number;
  readonly forced: number;
  /** 0 to 100, per cent of full speed. */
  readonly speedPercent: number;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly firstConfirmedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly updatedAtMs: number;
  /** Absent in rows of earlier versions. */
  readonly order?: MoveOrder;
}
