import type { BackendFacts, ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import { newDecision, type Decision, type DecisionKind, type Reason } from '../domain/decision.ts';
import { judgeBackends } from './decide-backend-health.ts';
import { excludeFromBalancing, type BalancingExclusion } from './exclude-from-balancing.ts';
import { featureAt } from './guard-operations.ts';
import { project, spreadPercent, usersToMove, type Candidate, type Pair } from './halve-gap.ts';
import { scoreLoad } from './score-load.ts';

export interface BalancingView {
  readonly decision: Decision;
  /** By host, of the eligible. */
  readonly scores: Readonly<Record<string, number>>;
  readonly excluded: readonly { readonly host: string; readonly exclusion: BalancingExclusion }[];
}

/**
 * `rebalance_sites`: from the most to the least loaded Backend, if they are far enough apart and the move
 * makes it better; at most one pair a cycle.
 * Source: controller documentation, "load balancing": every 60 s score, find the pair, compare with
 * HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO, move some users.
 */
export function planRebalance(snapshot: ClusterSnapshot): BalancingView {
  const nothing = (reason: Reason, fields: Partial<Decision> = {}): BalancingView => ({
    decision: rebalanceDecision('nothing', reason, fields),
    scores: {},
    excluded: [],
  });
  const held = findHold(snapshot);
  if (held !== null) return nothing(held.reason, held.fields);
  const { judged, catastrophe } = judgeBackends(snapshot);
  if (catastrophe.isHolding) {
    return nothing('CatastropheProtection', {
      limitingSetting: 'HOST_FAILURE_BACKEND_NUM_THRESHOLD',
    });
  }
  const excluded: { host: string; exclusion: BalancingExclusion }[] = [];
  const candidates: Candidate[] = [];
  for (const { facts, health } of judged) {
    const exclusion = excludeFromBalancing(snapshot, facts, health.verdict);
    if (exclusion === null) candidates.push(toCandidate(facts));
    else excluded.push({ host: facts.host, exclusion });
  }
  const { decision, scores } = decidePair(snapshot, candidates);
  return { decision, scores, excluded };
}

function findHold(
  snapshot: ClusterSnapshot,
): { readonly reason: Reason; readonly fields: Partial<Decision> } | null {
  if (!snapshot.isOwner) return { reason: 'NotTheOwner', fields: {} };
  if (snapshot.features.BackendLoadBalancing === 'disabled') {
    return { reason: 'FeatureDisabled', fields: { limitingSetting: 'BackendLoadBalancing' } };
  }
  if (snapshot.automation === 'paused') return { reason: 'AutomationPaused', fields: {} };
  const { blindReason } = snapshot.metrics;
  return blindReason === null ? null : { reason: 'Blind', fields: { detail: blindReason } };
}

function decidePair(
  snapshot: ClusterSnapshot,
  candidates: readonly Candidate[],
): { decision: Decision; scores: Record<string, number> } {
  const { settings } = snapshot;
  if (candidates.length < 2) {
    const numbers = { eligible: candidates.length };
    return { decision: rebalanceDecision('nothing', 'TooFewEligible', { numbers }), scores: {} };
  }
  const { scores } = scoreLoad(candidates, settings);
  const byHost = Object.fromEntries(
    candidates.map(({ facts }, index) => [facts.host, roundScore(scores[index] ?? 0)]),
  );
  const answer = (
    kind: DecisionKind,
    reason: Reason,
    fields: Partial<Decision>,
  ): { decision: Decision; scores: Record<string, number> } => ({
    decision: rebalanceDecision(kind, reason, fields),
    scores: byHost,
  });
  const pair = mostAndLeast(candidates, scores);
  const threshold = settings.loadBalanceScoreDeltaThresholdRatio;
  const measured = {
    scoreDelta: roundScore(pair.delta),
    threshold,
    sourceScore: roundScore(pair.sourceScore),
    targetScore: roundScore(pair.targetScore),
  };
  const limitingSetting = 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO';
  if (pair.delta <= threshold) {
    return answer('nothing', 'BelowThreshold', { numbers: measured, limitingSetting });
  }
  const users = usersToMove(pair.source, pair.target, settings);
  const projected = users === 0 ? null : project(candidates, pair, users, settings);
  if (projected === null || !projected.isBetter) {
    return answer('nothing', 'CannotImprove', { numbers: { ...measured, users } });
  }
  const states = [pair.source, pair.target].map(({ facts }) =>
    featureAt(snapshot, facts, 'BackendLoadBalancing'),
  );
  return answer('rebalance', 'ScoreDelta', {
    hosts: [pair.source.facts.host, pair.target.facts.host],
    backendId: pair.source.facts.id,
    detail: pair.target.facts.id,
    isDryRun: states.includes('dryRun'),
    numbers: {
      ...measured,
      users,
      projectedSourceScore: roundScore(projected.sourceScore),
      projectedTargetScore: roundScore(projected.targetScore),
      spreadPercent: roundScore(spreadPercent(candidates)),
      projectedSpreadPercent: roundScore(projected.spreadPercent),
    },
    limitingSetting,
  });
}

/** Rounded as decisions show them. */
export const roundScore = (score: number): number => Math.round(score * 1000) / 1000;

/** Ties go to the first by host, so that the order in which Backends are read changes nothing. */
export function mostAndLeast(candidates: readonly Candidate[], scores: readonly number[]): Pair {
  const sorted = candidates
    .map((candidate, index) => ({ candidate, score: scores[index] ?? 0 }))
    .sort(
      (a, b) => b.score - a.score || (a.candidate.facts.host < b.candidate.facts.host ? -1 : 1),
    );
  const most = sorted[0];
  const least = sorted.at(-1);
  if (most === undefined || least === undefined) throw new Error('a pair needs two Backends');
  return {
    source: most.candidate,
    target: least.candidate,
    sourceScore: most.score,
    targetScore: least.score,
    delta: most.score - least.score,
  };
}

export function toCandidate(facts: BackendFacts): Candidate {
  const { load } = facts;
  return {
    facts,
    loadFactor: facts.loadFactor,
    load: {
      cpu: load?.cpu ?? null,
      memory: load?.memoryBytes ?? null,
      metacache: load?.metacacheBytes ?? null,
    },
  };
}

function rebalanceDecision(
  kind: DecisionKind,
  reason: Reason,
  fields: Partial<Decision>,
): Decision {
  return newDecision('rebalance_sites', kind, reason, fields);
}
