import type {
  BackendFacts,
  ClusterSnapshot,
  RunningOperation,
} from '../domain/cluster-snapshot.ts';
import type { Decision, Reason } from '../domain/decision.ts';
import type { FeatureState } from '../domain/feature-flag.ts';
import { featureOf, isAutomatic } from '../domain/operation.ts';
import type { CatastropheState } from './catastrophe.ts';
import type { JudgedBackend } from './decide-backend-health.ts';
import { healthDecision } from './health-decision.ts';

/** Why automation makes an automatic operation wait; null: it may go on. */
export type WaitReason = Extract<
  Reason,
  'AutomationPaused' | 'FeatureDisabled' | 'CatastropheProtection'
>;

/**
 * Which running automatic operations have to wait, and which may go on again: the site's switch, a
 * feature that left Enabled (drains know only the switch), catastrophe protection (all of them).
 * Only operations that automation itself paused are resumed by it, and while it is blind only drains
 * that the switch had paused.
 */
export function guardOperations(
  snapshot: ClusterSnapshot,
  judged: readonly JudgedBackend[],
  catastrophe: CatastropheState,
): Decision[] {
  return judged.flatMap(({ facts }) => {
    const operation = facts.operation;
    if (operation === null || !isAutomatic(operation.cause)) return [];
    const wait = waitReason(snapshot, facts, operation, catastrophe);
    const fields = { hosts: [facts.host], backendId: facts.id, operationId: operation.operationId };
    if (operation.state !== 'paused') {
      return wait === null ? [] : [healthDecision('pauseOperation', wait, fields)];
    }
    if (wait !== null || !isPausedByAutomation(operation)) return [];
    const isByProtection = operation.stateReason === 'CatastropheProtection';
    // Blind, nobody fails as far as we see: that is no reason to let protection go.
    const isBlind = snapshot.metrics.blindReason !== null;
    if (isBlind && (isByProtection || operation.cause !== 'drain')) return [];
    const reason = isByProtection ? 'ProtectionEnded' : 'AutomationResumed';
    return [healthDecision('resumeOperation', reason, fields)];
  });
}

export function isPausedByAutomation(operation: RunningOperation): boolean {
  return operation.state === 'paused' && isAutomaticPause(operation.stateReason);
}

/** Whether such a reason of a pause is automation's: an operator's begins with his name. */
export function isAutomaticPause(stateReason: string | null): boolean {
  const reasons: (string | null)[] = [
    'AutomationPaused',
    'FeatureDisabled',
    'CatastropheProtection',
  ];
  return reasons.includes(stateReason);
}

export function featureAt(
  snapshot: ClusterSnapshot,
  facts: BackendFacts,
  feature: 'BackendHealthAutoHandling' | 'BackendLoadBalancing',
): FeatureState {
  return facts.features[feature] ?? snapshot.features[feature];
}

/** A flag that is set for one Backend alone is not overruled by levels that say nothing. */
export function isOffEverywhere(
  snapshot: ClusterSnapshot,
  feature: 'BackendHealthAutoHandling' | 'BackendLoadBalancing',
): boolean {
  const isOn = (facts: BackendFacts): boolean => featureAt(snapshot, facts, feature) !== 'disabled';
  return snapshot.features[feature] === 'disabled' && !snapshot.backends.some(isOn);
}

function waitReason(
  snapshot: ClusterSnapshot,
  facts: BackendFacts,
  operation: RunningOperation,
  catastrophe: CatastropheState,
): WaitReason | null {
  if (snapshot.automation === 'paused') return 'AutomationPaused';
  if (catastrophe.isHolding) return 'CatastropheProtection';
  const feature = featureOf(operation.cause);
  if (feature === null) return null;
  return featureAt(snapshot, facts, feature) === 'enabled' ? null : 'FeatureDisabled';
}
