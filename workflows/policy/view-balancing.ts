import type { ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import { judgeBackends } from './decide-backend-health.ts';
import { excludeFromBalancing, type BalancingExclusion } from './exclude-from-balancing.ts';
import { spreadPercent, type Candidate } from './halve-gap.ts';
import { mostAndLeast, roundScore, toCandidate } from './plan-rebalance.ts';
import { LOAD_METRICS, scoreLoad, type LoadMetric } from './score-load.ts';

/** Where one Backend stands; what is not known, or says nothing, is null. */
export interface BackendBalance {
  readonly backendId: string;
  /** Null: it takes part. */
  readonly exclusion: BalancingExclusion | null;
  /** Sum of the parts; null: it takes no part, or has nobody to be compared with. */
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
  const judged = judgeBackends(asIfOn).judged.map(({ facts, health }) => ({
    facts,
    exclusion: excludeFromBalancing(asIfOn, facts, health.verdict),
  }));
  const candidates = judged
    .filter(({ exclusion }) => exclusion === null)
    .map(({ facts }) => toCandidate(facts));
  const { scores, parts } = scoreLoad(candidates, snapshot.settings);
  const isCompared = candidates.length >= 2;
  const backends = judged.map(({ facts, exclusion }): BackendBalance => {
    const index = candidates.findIndex((candidate) => candidate.facts.id === facts.id);
    if (!isCompared || index < 0) {
      return { backendId: facts.id, exclusion, score: null, parts: NO_PARTS };
    }
    const own = LOAD_METRICS.map((metric) => [metric, roundedOrNull(parts[index]?.[metric])]);
    return {
      backendId: facts.id,
      exclusion,
      score: roundScore(scores[index] ?? 0),
      parts: Object.fromEntries(own) as BackendBalance['parts'],
    };
  });
  return { backends, threshold, ...pairOf(candidates, scores) };
}

function pairOf(
  candidates: readonly Candidate[],
  scores: readonly number[],
): Omit<SiteBalance, 'backends' | 'threshold'> {
  if (candidates.length < 2) {
    return { mostLoadedId: null, leastLoadedId: null, scoreDelta: null, spreadPercent: null };
  }
  const { source, target, delta } = mostAndLeast(candidates, scores);
  return {
    mostLoadedId: source.facts.id,
    leastLoadedId: target.facts.id,
    scoreDelta: roundScore(delta),
    spreadPercent: roundScore(spreadPercent(candidates)),
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
