import type { BackendFacts, ClusterSnapshot, HealthVerdict } from '../domain/cluster-snapshot.ts';
import { isFailing } from './assess-health.ts';
import { featureAt } from './guard-operations.ts';

/** Why a Backend takes no part in balancing, each a documented exclusion or ours. */
export const BALANCING_EXCLUSIONS = [
  'Offline',
  'Standby',
  'LoadFactorZero',
  'FeatureDisabledAtBackend',
  'CoolTime',
  'TooFewSamples',
  'Failing',
  'DoveadmUnreachable',
  'OperationRunning',
  'OperatorHold',
  'NotMeasured',
] as const;
export type BalancingExclusion = (typeof BALANCING_EXCLUSIONS)[number];

const WAITING: readonly BalancingExclusion[] = ['CoolTime', 'DoveadmUnreachable', 'OperatorHold'];

/** The documented exclusions in the documented order, then ours; null: it takes part. */
export function excludeFromBalancing(
  snapshot: ClusterSnapshot,
  facts: BackendFacts,
  verdict: HealthVerdict,
): BalancingExclusion | null {
  return excludeAsSet(snapshot, facts) ?? excludeAsFound(snapshot, facts, verdict);
}

/** By what operators set. */
function excludeAsSet(snapshot: ClusterSnapshot, facts: BackendFacts): BalancingExclusion | null {
  if (facts.status === 'offline') return 'Offline';
  if (facts.status === 'standby') return 'Standby';
  if (facts.loadFactor <= 0) return 'LoadFactorZero';
  const state = featureAt(snapshot, facts, 'BackendLoadBalancing');
  return state === 'disabled' ? 'FeatureDisabledAtBackend' : null;
}

/** By what is the matter right now. */
function excludeAsFound(
  { settings, takenAtMs }: ClusterSnapshot,
  facts: BackendFacts,
  verdict: HealthVerdict,
): BalancingExclusion | null {
  const isWithin = (atMs: number | null | undefined, secs: number): boolean =>
    atMs != null && takenAtMs - atMs < secs * 1000;
  const { memory } = facts;
  if (isWithin(memory?.lastBalancedAtMs, settings.loadBalanceBackendCoolTimeSecs))
    return 'CoolTime';
  // Users who were moved off because it failed would be back a minute after it looks better.
  if (isWithin(memory?.lastPartialMoveAtMs, settings.loadBalanceMinCoolTimeSecs)) return 'CoolTime';
  if (facts.load === null) return 'NotMeasured';
  if (facts.load.samples < settings.loadBalanceMinSamples) return 'TooFewSamples';
  if (isFailing(verdict)) return 'Failing';
  if (!facts.isDoveadmReachable) return 'DoveadmUnreachable';
  if (facts.operation !== null) return 'OperationRunning';
  const holdUntilMs = memory?.operatorHoldUntilMs ?? null;
  return holdUntilMs !== null && holdUntilMs > takenAtMs ? 'OperatorHold' : null;
}

/**
 * Who is left out only for the moment still carries its load: it is neither source nor target, but the others
 * are compared with it too. Without it the rest of the site would be levelled out by itself, and moved again
 * as soon as it is back.
 */
export function isCompared(exclusion: BalancingExclusion | null, facts: BackendFacts): boolean {
  if (exclusion === 'OperationRunning') return facts.operation?.cause === 'rebalance';
  return exclusion === null || WAITING.includes(exclusion);
}
