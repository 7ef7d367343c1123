import type { BackendFacts } from '../domain/cluster-snapshot.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';
import { LOAD_METRICS, relativeLoad, scoreLoad, type MeasuredLoad } from './score-load.ts';

export interface Candidate extends MeasuredLoad {
  readonly facts: BackendFacts;
}

export interface Pair {
  readonly source: Candidate;
  readonly target: Candidate;
  readonly sourceScore: number;
  readonly targetScore: number;
  readonly delta: number;
}

/**
 * Aims to halve the gap of the metric in the middle; at most HOST_LOAD_BALANCE_MOVE_RATIO of the source. Two of
 * three metrics have to say that the source is the more loaded one: caches keep what belonged to users who
 * are gone, and on a large site one metric alone makes a score that is far out.
 */
export function usersToMove(
  source: Candidate,
  target: Candidate,
  settings: PolicySettings,
): number {
  const capacityRatio = source.loadFactor / target.loadFactor;
  const shares: number[] = [];
  for (const metric of LOAD_METRICS) {
    const [from, to] = [source.load[metric], target.load[metric]];
    if (from === null || to === null || from <= 0) continue;
    const relativeFrom = from / source.loadFactor;
    const gap = relativeFrom - to / target.loadFactor;
    shares.push(gap / (relativeFrom * (1 + capacityRatio)));
  }
  shares.sort((a, b) => a - b);
  const middle = shares[Math.floor((shares.length - 1) / 2)] ?? 0;
  // The two by themselves would be even enough for the metric not to score at all.
  if (middle < settings.loadBalanceMinSpread) return 0;
  const share = Math.min(settings.loadBalanceMoveRatio, middle / 2);
  return Math.floor((source.facts.userCount ?? 0) * share);
}

/**
 * The benefit test: with these users moved, is the site more even, and the target still no more loaded than
 * the source? Evenness is taken from the loads: of two Backends the z-scores are the same however far
 * apart they are.
 */
export function project(
  candidates: readonly Candidate[],
  pair: Pair,
  users: number,
  settings: PolicySettings,
): { isBetter: boolean; sourceScore: number; targetScore: number; spreadPercent: number } {
  const share = users / Math.max(1, pair.source.facts.userCount ?? 0);
  const moved = candidates.map((candidate): Candidate => {
    if (candidate === pair.source) return { ...candidate, load: shift(candidate, -share, pair) };
    return candidate === pair.target
      ? { ...candidate, load: shift(candidate, share, pair) }
      : candidate;
  });
  const { scores } = scoreLoad(moved, settings);
  const scoreOf = (wanted: Candidate): number => scores[candidates.indexOf(wanted)] ?? 0;
  const sourceScore = scoreOf(pair.source);
  const targetScore = scoreOf(pair.target);
  const isMoreEven = unevenness(moved) < unevenness(candidates);
  const isBetter = isMoreEven && sourceScore >= targetScore;
  return { isBetter, sourceScore, targetScore, spreadPercent: spreadPercent(moved) };
}

/** Users take their share of the source's load along. */
function shift(candidate: Candidate, share: number, pair: Pair): Candidate['load'] {
  const shifted = LOAD_METRICS.map((metric) => {
    const own = candidate.load[metric];
    const carried = (pair.source.load[metric] ?? 0) * share;
    return [metric, own === null ? null : Math.max(0, own + carried)];
  });
  return Object.fromEntries(shifted) as Candidate['load'];
}

/** Root mean square of the metrics' standard deviation / mean, in per cent. */
export function spreadPercent(candidates: readonly Candidate[]): number {
  return 100 * Math.sqrt(unevenness(candidates) / LOAD_METRICS.length);
}

/** Squared coefficients of variation of the relative loads, summed over the metrics. */
function unevenness(candidates: readonly Candidate[]): number {
  let sum = 0;
  for (const metric of LOAD_METRICS) {
    const values = candidates.map((candidate) => relativeLoad(candidate, metric) ?? 0);
    const mean = values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
    if (mean <= 0) continue;
    const variance =
      values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
    sum += variance / mean ** 2;
  }
  return sum;
}
