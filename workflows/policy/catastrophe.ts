import type { BackendFacts, HealthVerdict } from '../domain/cluster-snapshot.ts';
import { MAX_LOOK_BACK_SECS, type PolicySettings } from '../domain/policy-settings.ts';
import { isFailing } from './assess-health.ts';

export interface AssessedBackend {
  readonly facts: BackendFacts;
  readonly verdict: HealthVerdict;
  /** Seconds that this verdict has held. */
  readonly verdictAgeSecs: number;
}

export interface CatastropheState {
  readonly isHolding: boolean;
  readonly sharePercent: number;
  readonly thresholdPercent: number;
  readonly considered: number;
  /** Hosts that count as failing, sorted. */
  readonly failing: readonly string[];
}

/**
 * Catastrophe protection: when too many Backends fail together, moving everyone to the rest would
 * overload it, so automation holds.
 * Share = (degraded + critical + under health evacuation + offline by us) / (online or offline by us),
 * in per cent, against HOST_FAILURE_BACKEND_NUM_THRESHOLD; `unknown` counts as not failing.
 * With the default 50: of 1 Backend 1 failing holds; of 2, 1 acts and 2 hold; of 3, 1 acts and 2 hold;
 * of 4, 2 act and 3 hold.
 * Source: controller documentation, "catastrophe protection"; numerator and denominator are ours.
 */
export function assessCatastrophe(
  backends: readonly AssessedBackend[],
  settings: PolicySettings,
): CatastropheState {
  const considered = backends.filter(({ facts }) => isConsidered(facts));
  const failing = considered.filter(countsAsFailing).map(({ facts }) => facts.host);
  const thresholdPercent = settings.failureBackendNumThresholdPercent;
  const sharePercent = considered.length === 0 ? 0 : (100 * failing.length) / considered.length;
  return {
    isHolding: sharePercent > thresholdPercent,
    sharePercent,
    thresholdPercent,
    considered: considered.length,
    failing: [...failing].sort(),
  };
}

/**
 * We remember the write time of our own change to offline; another one means that somebody else
 * changed the status since.
 */
export function isOfflineByUs(facts: BackendFacts): boolean {
  const ours = facts.memory?.offlineWrittenAtMicros ?? null;
  return facts.status === 'offline' && ours !== null && ours === facts.statusWrittenAtMicros;
}

function isConsidered(facts: BackendFacts): boolean {
  return facts.status === 'online' || isOfflineByUs(facts);
}

/**
 * A Backend under a paused evacuation counts by its present verdict, and no longer once `unknown` for
 * 300 s, or protection could never let go. Nor does it when its evacuation then goes on: counted again,
 * it would end the next minute what it just allowed, and so on by turns.
 */
function countsAsFailing(backend: AssessedBackend): boolean {
  const { facts, verdict } = backend;
  if (isOfflineByUs(facts) || isFailing(verdict)) return true;
  if (facts.operation?.cause !== 'health') return false;
  return verdict === 'unknown' && backend.verdictAgeSecs < MAX_LOOK_BACK_SECS;
}
