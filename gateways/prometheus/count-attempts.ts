/** Attempts by Backend and look-back, summed over the proxies of a site. Pure. */
import type { AttemptWindow } from '../../workflows/domain/metrics.ts';
import type { LookBacks, Samples, Scrapes } from './count-rises.ts';
import { countRises } from './count-rises.ts';
import type { Counter } from './proxy-history.ts';

/** A rise may have begun so many scrapes before a look-back. */
const REACH_SCRAPES = 3;
const LEAST_REACH_SECS = 1;

interface Counted extends Samples {
  readonly counter: Counter;
  readonly proxy: string;
  readonly target: string;
}

export function reachOf(scrapeIntervalSecs: number): number {
  return Math.max(LEAST_REACH_SECS, REACH_SCRAPES * scrapeIntervalSecs);
}

/** By `dest_host`, sorted; windows as asked for. */
export function countAttempts(
  series: readonly Counted[],
  scrapes: ReadonlyMap<string, Scrapes>,
  lookBacks: LookBacks,
): Record<string, AttemptWindow[]> {
  const byTarget = new Map<string, Partial<Record<Counter, number[]>>>();
  for (const one of series) {
    const counts = byTarget.get(one.target) ?? {};
    byTarget.set(one.target, counts);
    const rises = countRises(one, scrapes.get(one.proxy) ?? null, lookBacks);
    const former = counts[one.counter];
    counts[one.counter] = former === undefined ? rises : addAll(former, rises);
  }
  return Object.fromEntries(
    [...byTarget]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([target, counts]) => [target, toWindows(counts, lookBacks.windowsSecs)]),
  );
}

function addAll(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value + (b[index] ?? 0));
}

function toWindows(
  counts: Partial<Record<Counter, number[]>>,
  windowsSecs: readonly number[],
): AttemptWindow[] {
  const at = (counter: Counter, index: number): number => Math.round(counts[counter]?.[index] ?? 0);
  return windowsSecs.map((windowSecs, index) => ({
    windowSecs,
    logins: { succeeded: at('loginSucceeded', index), failed: at('loginFailed', index) },
    deliveries: { succeeded: at('deliverySucceeded', index), failed: at('deliveryFailed', index) },
  }));
}
