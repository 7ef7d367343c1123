import type { BackendFacts, ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import { newDecision, type Decision, type DecisionKind, type Reason } from '../domain/decision.ts';
import { outranks } from '../domain/operation.ts';
import { judgeBackends } from './decide-backend-health.ts';
import { gatherNothings } from './health-decision.ts';

/**
 * `evacuate_zero_load_factor_hosts`: load factor 0 is the operator's order to empty a Backend; raising it
 * again ends the drain cleanly. No flag gates it and it also runs when blind (targets by user count); it
 * heeds the site's switch, catastrophe protection and an operator's hold.
 * Source: controller documentation, task table (`load_factor = 0`).
 */
export function decideDrains(snapshot: ClusterSnapshot): Decision[] {
  if (!snapshot.isOwner) return [drainDecision('nothing', 'NotTheOwner')];
  const { catastrophe } = judgeBackends(snapshot);
  const decisions = snapshot.backends.map((facts) => {
    const about = { hosts: [facts.host], backendId: facts.id };
    const operation = facts.operation;
    if (operation?.cause === 'drain' && facts.loadFactor > 0) {
      return drainDecision('endDrain', 'LoadFactorRaised', {
        ...about,
        operationId: operation.operationId,
        numbers: { loadFactor: facts.loadFactor },
      });
    }
    const obstacle = findObstacle(snapshot, facts, catastrophe.isHolding);
    if (obstacle !== null) return drainDecision('nothing', obstacle, about);
    const users = facts.userCount ?? 0;
    return drainDecision('drain', 'LoadFactorZero', { ...about, numbers: { users } });
  });
  return gatherNothings(decisions);
}

function findObstacle(
  snapshot: ClusterSnapshot,
  facts: BackendFacts,
  isCatastrophe: boolean,
): Reason | null {
  if (facts.loadFactor > 0) return 'LoadFactorNotZero';
  if (facts.userCount === 0) return 'NoUsers';
  const { operation } = facts;
  if (operation !== null && !outranks('drain', operation.cause)) return 'OperationRunning';
  if (snapshot.automation === 'paused') return 'AutomationPaused';
  if (isCatastrophe) return 'CatastropheProtection';
  const holdUntilMs = facts.memory?.operatorHoldUntilMs ?? null;
  if (holdUntilMs !== null && holdUntilMs > snapshot.takenAtMs) return 'OperatorHold';
  const hasTarget = snapshot.backends.some(
    (each) =>
      each.id !== facts.id &&
      each.status === 'online' &&
      each.loadFactor > 0 &&
      each.isDoveadmReachable,
  );
  return hasTarget ? null : 'NoTarget';
}

function drainDecision(
  kind: DecisionKind,
  reason: Reason,
  fields: Partial<Decision> = {},
): Decision {
  return newDecision('evacuate_zero_load_factor_hosts', kind, reason, fields);
}
