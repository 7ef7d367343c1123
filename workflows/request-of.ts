import type { MoveRequest } from './contract.ts';
import { assert } from './domain/assert.ts';
import type { ClusterSnapshot } from './domain/cluster-snapshot.ts';
import type { RecordedDecision } from './domain/decision.ts';

/**
 * The request to the mover that carries a decision out: by default all users of its Backend, in rounds.
 * One decision is one operation: it bears the decision's id, so that a repeated request is the same.
 */
export function requestOf(
  snapshot: ClusterSnapshot,
  decision: RecordedDecision,
  fields: Pick<MoveRequest, 'kind' | 'cause'> & Partial<MoveRequest>,
): MoveRequest {
  const sourceHost = decision.hosts[0];
  const { backendId: sourceId, decisionId } = decision;
  assert(sourceId !== null && sourceHost !== undefined, 'a move names its source');
  return {
    operationId: decisionId,
    siteName: snapshot.siteName,
    sourceId,
    sourceHost,
    targetIds: [],
    maxUsers: null,
    stepRatio: snapshot.settings.evacuateStepRatio,
    minLastMovedSecs: null,
    endsOffline: false,
    isForced: false,
    requestedBy: decision.task,
    reason: decision.reason,
    decisionId,
    epoch: snapshot.epoch ?? null,
    ...fields,
  };
}
