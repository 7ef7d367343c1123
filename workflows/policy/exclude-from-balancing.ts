import type { BackendFacts, ClusterSnapshot, HealthVerdict } from '../domain/cluster-snapshot.ts';
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
  'NotMeasured',
] as const;
export type BalancingExclusion = (typeof BALANCING_EXCLUSIONS)[number];

/** The documented exclusions in the documented order, then ours; null: it takes part. */
export function excludeFromBalancing(
  snapshot: ClusterSnapshot,
  facts: BackendFacts,
  verdict: HealthVerdict,
): BalancingExclusion | null {
  const { settings, takenAtMs } = snapshot;
  if (facts.status === 'offline') return 'Offline';
  if (facts.status === 'standby') return 'Standby';
  if (facts.loadFactor <= 0) return 'LoadFactorZero';
  if (featureAt(snapshot, facts, 'BackendLoadBalancing') === 'disabled') {
    return 'FeatureDisabledAtBackend';
  }
  const lastMs = facts.memory?.lastBalancedAtMs ?? null;
  const coolMs = settings.loadBalanceBackendCoolTimeSecs * 1000;
  if (lastMs !== null && takenAtMs - lastMs < coolMs) return 'CoolTime';
  if (facts.load === null) return 'NotMeasured';
  if (facts.load.samples < settings.loadBalanceMinSamples) return 'TooFewSamples';
  if (verdict === 'critical' || verdict === 'degraded') return 'Failing';
  if (!facts.isDoveadmReachable) return 'DoveadmUnreachable';
  return facts.operation === null ? null : 'OperationRunning';
}
