import type { ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import { judgeBackends } from './decide-backend-health.ts';
import type { BalancingExclusion } from './exclude-from-balancing.ts';
import { spreadPercent } from './halve-gap.ts';
import { pairsOf, roundScore, scoreSite, type Scored } from './plan-rebalance.ts';
import { LOAD_METRICS, type LoadMetric } from './score-load.ts';

/** Where one Backend stands; what is not known, or says nothing, is null. */
export interface BackendBalance {
  readonly backendId: string;
  /** Null: it takes part. */
  readonly exclusion: BalancingExclusion | null;
  /** Sum of the parts; null: it is not compared, or has nobody to be compared with. */
  readonly score: number | null;
  /** z-scores; null: the metric is not measured everywhere, or its spread is too small. */
  readonly parts: Readonly<Record<LoadMetric, number | null>>;
}

export interface SiteBalance {
  /** In the order of the snapshot. */
  readonly backends: readonly BackendBalance[];
  readonly mostLoadedId: string | null;
  readonly leastLoadedId: string | null;
  readonly scoreDelta: number | null;
  readonly threshold: number;
  /** Root mean square of the metrics' standard deviation / mean, in per cent. */
  readonly spreadPercent: number | null;
}

const NO_PARTS: BackendBalance['parts'] = { cpu: null, memory: null, metacache: null };

/**
 * How the load lies at a site, by the same rules as `rebalance_sites`, also where nothing would be
 * moved: the feature may be off, automation paused. People look at it before they switch it on.
 */
export function viewBalancing(snapshot: ClusterSnapshot): SiteBalance {
  const threshold = snapshot.settings.loadBalanceScoreDeltaThresholdRatio;
  const asIfOn = withFeatureOn(snapshot);
  const { judged } = judgeBackends(asIfOn);
  const { compared, eligible, excluded } = scoreSite(asIfOn, judged);
  const backends = judged.map(({ facts }): BackendBalance => {
    const scored = compared.find(({ candidate }) => candidate.facts.id === facts.id);
    const exclusion = excluded.find(({ host }) => host === facts.host)?.exclusion ?? null;
    if (compared.length < 2 || scored === undefined) {
      return { backendId: facts.id, exclusion, score: null, parts: NO_PARTS };
    }
    const own = LOAD_METRICS.map((metric) => [metric, roundedOrNull(scored.parts[metric])]);
    return {
      backendId: facts.id,
      exclusion,
      score: roundScore(scored.score),
      parts: Object.fromEntries(own) as BackendBalance['parts'],
    };
  });
  return { backends, threshold, ...pairOf(compared, eligible) };
}

function pairOf(
  compared: readonly Scored[],
  eligible: readonly Scored[],
): Omit<SiteBalance, 'backends' | 'threshold'> {
  const [pair] = pairsOf(eligible);
  if (pair === undefined) {
    return { mostLoadedId: null, leastLoadedId: null, scoreDelta: null, spreadPercent: null };
  }
  return {
    mostLoadedId: pair.source.facts.id,
    leastLoadedId: pair.target.facts.id,
    scoreDelta: roundScore(pair.delta),
    spreadPercent: roundScore(spreadPercent(compared.map(({ candidate }) => candidate))),
  };
}

/** A feature that is off for the whole site excludes nobody in particular. */
function withFeatureOn(snapshot: ClusterSnapshot): ClusterSnapshot {
  const { features } = snapshot;
  if (features.BackendLoadBalancing !== 'disabled') return snapshot;
  return { ...snapshot, features: { ...features, BackendLoadBalancing: 'enabled' } };
}

function roundedOrNull(score: number | undefined): number | null {
  return score === undefined ? null : roundScore(score);
}
