import { assert } from '../domain/assert.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';

export const LOAD_METRICS = ['cpu', 'memory', 'metacache'] as const;
export type LoadMetric = (typeof LOAD_METRICS)[number];

/** Load of one Backend as measured; a null was not. Units do not matter: only the comparison does. */
export interface MeasuredLoad {
  readonly loadFactor: number;
  readonly load: Readonly<Record<LoadMetric, number | null>>;
}

export interface LoadScores {
  /** The sum of the z-scores, in the order of the Backends given; 0 is the site's mean. */
  readonly scores: readonly number[];
  /** What each metric adds to each score; a metric that says nothing is absent. */
  readonly parts: readonly Readonly<Partial<Record<LoadMetric, number>>>[];
  /** Metrics whose spread is wide enough to say anything. */
  readonly scoring: readonly LoadMetric[];
}

/**
 * How far each Backend is from the site's mean, in units of spread: for memory, CPU and metacache the
 * z-score of value / (load factor / 100), summed. A metric that is missing for some Backend, or whose
 * standard deviation / mean is below HOST_LOAD_BALANCE_MIN_SPREAD, scores 0 for all: z-scores magnify
 * noise. Never NaN.
 * Source: controller documentation, "load balancing" (z-score over memory, CPU, metacache); sum, load
 * factor and least spread are ours.
 */
export function scoreLoad(backends: readonly MeasuredLoad[], settings: PolicySettings): LoadScores {
  const scores = backends.map(() => 0);
  const parts: Partial<Record<LoadMetric, number>>[] = backends.map(() => ({}));
  const scoring: LoadMetric[] = [];
  for (const metric of LOAD_METRICS) {
    const values = backends.map((backend) => relativeLoad(backend, metric));
    const known = values.filter((value): value is number => value !== null);
    if (known.length < 2 || known.length < values.length) continue;
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
    const deviation = Math.sqrt(variance);
    if (mean <= 0 || deviation / mean < settings.loadBalanceMinSpread || deviation === 0) continue;
    scoring.push(metric);
    known.forEach((value, index) => {
      const score = (value - mean) / deviation;
      scores[index] = (scores[index] ?? 0) + score;
      parts[index] = { ...parts[index], [metric]: score };
    });
  }
  for (const score of scores) assert(Number.isFinite(score), 'a load score is finite');
  return { scores, parts, scoring };
}

/** Load per capacity; null: not measured, or no capacity to speak of. */
export function relativeLoad(backend: MeasuredLoad, metric: LoadMetric): number | null {
  const value = backend.load[metric];
  if (value === null || !Number.isFinite(value) || value < 0 || backend.loadFactor <= 0)
    return null;
  return value / (backend.loadFactor / 100);
}
