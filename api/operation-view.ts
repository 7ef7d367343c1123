/** Operations and their ledger as the API shows them. */
import { canBecome, isAutomatic, isEnded, type Operation } from '../workflows/domain/operation.ts';
import type { LedgerRow } from '../workflows/domain/user-move.ts';
import type { Cluster } from './cluster-view.ts';
import type { MoveView } from './schemas/cluster.ts';
import type { OPERATION_ACTIONS, OperationView } from './schemas/operation.ts';

export type OperationAction = (typeof OPERATION_ACTIONS)[number];

export function presentOperation(cluster: Cluster, operation: Operation): OperationView {
  const { targetIds, order: _order, ...shown } = operation;
  return {
    ...shown,
    counts: { ...operation.counts },
    isAutomatic: isAutomatic(operation.cause),
    targets: targetIds.map((backendId) => ({ backendId, host: cluster.hostOf(backendId) })),
    isEnded: isEnded(operation.state),
    allowedActions: allowedActions(operation),
    confirmedPerSec: confirmedPerSec(operation),
  };
}

/** By the table of allowed transitions. */
export function allowedActions({ state }: Operation): OperationAction[] {
  const actions: OperationAction[] = [];
  if (canBecome(state, 'paused')) actions.push('pause');
  if (state === 'paused') actions.push('resume');
  if (canBecome(state, 'cancelled')) actions.push('cancel');
  if (!isEnded(state)) actions.push('speed', 'retarget');
  return actions;
}

export function presentMove(cluster: Cluster, row: LedgerRow): MoveView {
  const { moveTimestampMicros: _timestamp, ...shown } = row;
  return {
    ...shown,
    sourceHost: cluster.hostOf(row.sourceId),
    targetHost: cluster.hostOf(row.targetId),
  };
}

function confirmedPerSec(operation: Operation): number | null {
  const { startedAtMs, endedAtMs, updatedAtMs, counts } = operation;
  if (startedAtMs === null) return null;
  const elapsedMs = (endedAtMs ?? updatedAtMs) - startedAtMs;
  return elapsedMs > 0 ? (1000 * counts.confirmed) / elapsedMs : 0;
}
