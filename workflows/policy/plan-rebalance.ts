import { assert } from '../domain/assert.ts';
import type { BackendFacts, ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import { newDecision, type Decision, type DecisionKind, type Reason } from '../domain/decision.ts';
import { judgeBackends, type JudgedBackend } from './decide-backend-health.ts';
import {
  excludeFromBalancing,
  isCompared,
  type BalancingExclusion,
} from './exclude-from-balancing.ts';
import { featureAt, isOffEverywhere } from './guard-operations.ts';
import { project, spreadPercent, usersToMove, type Candidate, type Pair } from './halve-gap.ts';
import { scoreLoad, type LoadScores } from './score-load.ts';

export interface Scored {
  readonly candidate: Candidate;
  readonly score: number;
  /** Of the score, by metric. */
  readonly parts: LoadScores['parts'][number];
}

export interface ScoredSite {
  readonly compared: readonly Scored[];
  readonly eligible: readonly Scored[];
  readonly excluded: readonly { readonly host: string; readonly exclusion: BalancingExclusion }[];
}

export interface BalancingView {
  /** One; two where the best pair is only on DryRun and others may be balanced meanwhile. */
  readonly decisions: readonly Decision[];
  /** By host, of those that are compared. */
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
    decisions: [rebalanceDecision('nothing', reason, fields)],
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
  const site = scoreSite(snapshot, judged);
  const decisions = [decidePair(snapshot, site)];
  if (decisions[0]?.isDryRun === true) {
    // Nothing ever comes of this pair: the rest of the site must not wait for it.
    const eligible = site.eligible.filter(
      ({ candidate }) => featureAt(snapshot, candidate.facts, 'BackendLoadBalancing') === 'enabled',
    );
    const others = decidePair(snapshot, { ...site, eligible });
    if (others.kind === 'rebalance') decisions.push(others);
  }
  const { compared, excluded } = site;
  const byHost = compared.map(({ candidate, score }) => [candidate.facts.host, roundScore(score)]);
  return { decisions, scores: Object.fromEntries(byHost) as Record<string, number>, excluded };
}

/** Who is compared, who of them may give or take, and who takes no part for which reason. */
export function scoreSite(snapshot: ClusterSnapshot, judged: readonly JudgedBackend[]): ScoredSite {
  const excluded: { host: string; exclusion: BalancingExclusion }[] = [];
  const candidates: Candidate[] = [];
  const taking = new Set<Candidate>();
  for (const { facts, health } of judged) {
    const exclusion = excludeFromBalancing(snapshot, facts, health.verdict);
    if (exclusion !== null) excluded.push({ host: facts.host, exclusion });
    if (!isCompared(exclusion, facts)) continue;
    const candidate = toCandidate(facts);
    candidates.push(candidate);
    if (exclusion === null) taking.add(candidate);
  }
  const { scores, parts } = scoreLoad(candidates, snapshot.settings);
  const compared = candidates.map((candidate, index): Scored => ({
    candidate,
    score: scores[index] ?? 0,
    parts: parts[index] ?? {},
  }));
  const eligible = compared.filter(({ candidate }) => taking.has(candidate));
  return { compared, eligible, excluded };
}

/** How many take part, and how many do not for each reason. */
function countExclusions(
  eligible: number,
  excluded: readonly { readonly exclusion: BalancingExclusion }[],
): Record<string, number> {
  const counts: Record<string, number> = { eligible };
  for (const { exclusion } of excluded) {
    counts[`excluded${exclusion}`] = (counts[`excluded${exclusion}`] ?? 0) + 1;
  }
  return counts;
}

function findHold(
  snapshot: ClusterSnapshot,
): { readonly reason: Reason; readonly fields: Partial<Decision> } | null {
  if (!snapshot.isOwner) return { reason: 'NotTheOwner', fields: {} };
  if (isOffEverywhere(snapshot, 'BackendLoadBalancing')) {
    return { reason: 'FeatureDisabled', fields: { limitingSetting: 'BackendLoadBalancing' } };
  }
  if (snapshot.automation === 'paused') return { reason: 'AutomationPaused', fields: {} };
  const { blindReason } = snapshot.metrics;
  return blindReason === null ? null : { reason: 'Blind', fields: { detail: blindReason } };
}

function decidePair(
  snapshot: ClusterSnapshot,
  { compared, eligible, excluded }: ScoredSite,
): Decision {
  const { settings } = snapshot;
  const counts = countExclusions(eligible.length, excluded);
  if (eligible.length < 2)
    return rebalanceDecision('nothing', 'TooFewEligible', { numbers: counts });
  const threshold = settings.loadBalanceScoreDeltaThresholdRatio;
  const pairs = pairsOf(eligible).filter(({ delta }, rank) => rank === 0 || delta > threshold);
  const [first] = pairs;
  assert(first !== undefined, 'two Backends are a pair');
  const limitingSetting = 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO';
  const candidates = compared.map(({ candidate }) => candidate);
  const measured = (pair: Pair): Record<string, number> => ({
    scoreDelta: roundScore(pair.delta),
    threshold,
    sourceScore: roundScore(pair.sourceScore),
    targetScore: roundScore(pair.targetScore),
    spreadPercent: roundScore(spreadPercent(candidates)),
    ...counts,
  });
  if (first.delta <= threshold) {
    const fields = { numbers: measured(first), limitingSetting };
    return rebalanceDecision('nothing', 'BelowThreshold', fields);
  }
  const isResting = ({ source: { facts } }: Pair): boolean =>
    (facts.memory?.usersRestUntilMs ?? 0) > snapshot.takenAtMs;
  for (const pair of pairs) {
    // Nobody would be found: the next one may be helped meanwhile.
    if (isResting(pair)) continue;
    const users = usersToMove(pair.source, pair.target, settings);
    const projected = users === 0 ? null : project(candidates, pair, users, settings);
    if (projected === null || !projected.isBetter) continue;
    const states = [pair.source, pair.target].map(({ facts }) =>
      featureAt(snapshot, facts, 'BackendLoadBalancing'),
    );
    const numbers = {
      ...measured(pair),
      users,
      projectedSourceScore: roundScore(projected.sourceScore),
      projectedTargetScore: roundScore(projected.targetScore),
      projectedScoreDelta: roundScore(projected.sourceScore - projected.targetScore),
      projectedSpreadPercent: roundScore(projected.spreadPercent),
    };
    return rebalanceDecision('rebalance', 'ScoreDelta', {
      hosts: [pair.source.facts.host, pair.target.facts.host],
      backendId: pair.source.facts.id,
      detail: pair.target.facts.id,
      isDryRun: states.includes('dryRun'),
      numbers,
      limitingSetting,
    });
  }
  if (isResting(first)) {
    const limit = { limitingSetting: 'HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS' };
    return rebalanceDecision('nothing', 'UsersResting', { numbers: measured(first), ...limit });
  }
  const users = usersToMove(first.source, first.target, settings);
  return rebalanceDecision('nothing', 'CannotImprove', { numbers: { ...measured(first), users } });
}

/** Rounded as decisions show them. */
export const roundScore = (score: number): number => Math.round(score * 1000) / 1000;

/**
 * Each with the least loaded one, the most loaded first: where it cannot be helped, the next may. Ties go to
 * the first by host, so that the order in which Backends are read changes nothing.
 */
export function pairsOf(scored: readonly Scored[]): Pair[] {
  const sorted = [...scored].sort(
    (a, b) => b.score - a.score || (a.candidate.facts.host < b.candidate.facts.host ? -1 : 1),
  );
  const least = sorted.pop();
  if (least === undefined) return [];
  return sorted.map(({ candidate, score }) => ({
    source: candidate,
    target: least.candidate,
    sourceScore: score,
    targetScore: least.score,
    delta: score - least.score,
  }));
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
