/**
 * How often a counter rose within look-backs, from its raw samples.
 *
 * Prometheus's own `increase()` is wrong for this twice: it misses the first event of a series (Dovecot
 * exports a group only from its first event on, when it has the value 1 already), and it stretches what
 * it saw over the whole look-back.
 */

/** Ascending; times in epoch seconds. A value that is no number stands for "there, but not known". */
export interface Samples {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

/** The scrapes of the proxy that exports the counter: 1 worked, 0 failed. */
export interface Scrapes extends Samples {
  readonly intervalSecs: number;
}

export interface LookBacks {
  readonly nowSecs: number;
  /** Ascending. */
  readonly windowsSecs: readonly number[];
  /** A rise that began this much before a look-back still belongs to it: scrapes are not continuous. */
  readonly reachSecs: number;
}

/**
 * Between two samples a counter rose by their difference; by all of its new value where it fell (a
 * restart), and where a scrape in between worked without it: it was born again at 0. So it is for the
 * first sample, if a scrape worked before without the series. A first sample of a proxy that merely
 * became visible is where counting begins.
 *
 * A rise is counted where it happened within the look-back as a whole: what rose while the proxy could
 * not be scraped from before the look-back until within it, nobody knows when.
 *
 * @param scrapes null: not known, then a series is never taken for new.
 * @returns one sum for each look-back.
 */
export function countRises(
  { times, values }: Samples,
  scrapes: Scrapes | null,
  lookBacks: LookBacks,
): number[] {
  const sums = lookBacks.windowsSecs.map(() => 0);
  let known: { readonly value: number; readonly atSecs: number } | null = null;
  let presentAtSecs: number | null = null;
  for (let index = 0; index < times.length; index += 1) {
    const atSecs = times[index] ?? 0;
    const value = values[index] ?? Number.NaN;
    if (isCount(value)) {
      const absentAtSecs = lastScrapeWithout(scrapes, presentAtSecs, atSecs);
      const base = absentAtSecs === null ? known : { value: 0, atSecs: absentAtSecs };
      if (base !== null) {
        const rise = value < base.value ? value : value - base.value;
        addWithin(sums, rise, { fromSecs: base.atSecs, atSecs }, lookBacks);
      }
      known = { value, atSecs };
    }
    presentAtSecs = atSecs;
  }
  return sums;
}

/** Counters are finite and not negative: anything else was not counted by a Dovecot. */
export function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/**
 * The last scrape that worked although the series was not in it. Half an interval around a sample belongs
 * to it, since an exporter may give its own times.
 */
function lastScrapeWithout(
  scrapes: Scrapes | null,
  afterSecs: number | null,
  beforeSecs: number,
): number | null {
  if (scrapes === null) return null;
  const { times, values, intervalSecs } = scrapes;
  const half = intervalSecs / 2;
  // In the ordinary case, samples one scrape apart, nothing can lie in between.
  if (afterSecs !== null && beforeSecs - afterSecs < 1.5 * intervalSecs) return null;
  for (let index = indexBefore(times, beforeSecs - half); index >= 0; index -= 1) {
    const atSecs = times[index] ?? 0;
    if (afterSecs !== null && atSecs <= afterSecs + half) return null;
    if (values[index] === 1) return atSecs;
  }
  return null;
}

/** Index of the last time below the limit; -1: none. */
function indexBefore(times: readonly number[], limitSecs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < limitSecs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function addWithin(
  sums: number[],
  rise: number,
  { fromSecs, atSecs }: { readonly fromSecs: number; readonly atSecs: number },
  { nowSecs, windowsSecs, reachSecs }: LookBacks,
): void {
  for (let index = windowsSecs.length - 1; index >= 0; index -= 1) {
    const startSecs = nowSecs - (windowsSecs[index] ?? 0);
    if (atSecs <= startSecs || fromSecs < startSecs - reachSecs) return;
    sums[index] = (sums[index] ?? 0) + rise;
  }
}
