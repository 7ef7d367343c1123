/**
 * The raw samples of one site's proxies for as long as the longest look-back. Each read asks Prometheus
 * only for what is newer than what is known, so that looking every few seconds costs little. This is a
 * cache: what is older than the longest look-back is forgotten, and a process that knows nothing asks
 * for all of it.
 */
import type { PrometheusConfig } from '../../platform/config.ts';
import type { Scrapes } from './count-rises.ts';
import { isCount } from './count-rises.ts';
import { LABELS } from './names.ts';
import type { Series } from './prometheus-api.ts';
import { intervalOf } from './view.ts';

export type Counter = keyof PrometheusConfig['counters'];

export interface CounterSeries {
  readonly counter: Counter;
  readonly proxy: string;
  readonly target: string;
  readonly times: number[];
  readonly values: number[];
}

/** Samples appear after their scrape is over: what is asked again overlaps by so many scrapes. */
const OVERLAP_SCRAPES = 2;
const LEAST_OVERLAP_SECS = 5;
/** Proxies are scraped one after the other, each at its own moment. */
const FRESH_SCRAPES = 2;

interface Known {
  readonly labels: Readonly<Record<string, string>>;
  readonly times: number[];
  readonly values: number[];
}

export class ProxyHistory {
  readonly #counterOf: ReadonlyMap<string, Counter>;
  readonly #known = new Map<string, Known>();

  /** The longest look-back and a little more. */
  #keptSecs = 0;

  constructor(counters: PrometheusConfig['counters']) {
    const names = Object.entries(counters) as [Counter, string][];
    this.#counterOf = new Map(names.map(([counter, name]) => [name, counter]));
  }

  /** How far back the next answer has to reach, in seconds. */
  rangeSecs(nowSecs: number): number {
    const scrapes = this.scrapes();
    if (scrapes.length === 0) return this.#keptSecs;
    const overlapSecs = Math.max(LEAST_OVERLAP_SECS, OVERLAP_SCRAPES * (intervalOf(scrapes) ?? 0));
    const knownUntil = Math.min(...scrapes.map(({ times }) => times.at(-1) ?? 0));
    return Math.min(this.#keptSecs, Math.max(0, nowSecs - knownUntil) + overlapSecs);
  }

  /** Longer look-backs than before: everything has to be asked for again. */
  keep(keptSecs: number): void {
    if (keptSecs <= this.#keptSecs) return;
    this.#keptSecs = keptSecs;
    this.#known.clear();
  }

  take(answer: readonly Series[], nowSecs: number): void {
    for (const series of answer) {
      const key = Object.values(series.labels).join('\u0000');
      const known = this.#known.get(key) ?? { labels: series.labels, times: [], values: [] };
      append(known, series, nowSecs);
      if (known.times.length > 0) this.#known.set(key, known);
    }
    const oldestSecs = nowSecs - this.#keptSecs;
    for (const [key, { times, values }] of this.#known) {
      const old = times.findIndex((atSecs) => atSecs >= oldestSecs);
      if (old < 0) this.#known.delete(key);
      else if (old > 0) {
        times.splice(0, old);
        values.splice(0, old);
      }
    }
  }

  /** `up` of every proxy. */
  scrapes(): Series[] {
    return [...this.#known.values()].filter(({ labels }) => labels['__name__'] === 'up');
  }

  /** By proxy; one that is scraped in several ways at once is left out: nobody knows which counts. */
  scrapesByProxy(): Map<string, Scrapes> {
    const found = new Map<string, Scrapes | null>();
    for (const { labels, times, values } of this.scrapes()) {
      const proxy = labels[LABELS.proxy] ?? '';
      const intervalSecs = intervalOf([{ times }]);
      const isOnly = !found.has(proxy) && intervalSecs !== null;
      found.set(proxy, isOnly ? { times, values, intervalSecs } : null);
    }
    return new Map([...found].filter((each): each is [string, Scrapes] => each[1] !== null));
  }

  counters(): CounterSeries[] {
    const found: CounterSeries[] = [];
    for (const { labels, times, values } of this.#known.values()) {
      const counter = this.#counterOf.get(labels['__name__'] ?? '');
      const target = labels[LABELS.target] ?? '';
      if (counter === undefined || target === '') continue;
      found.push({ counter, proxy: labels[LABELS.proxy] ?? '', target, times, values });
    }
    return found;
  }

  /** Counters are scraped, and not one says which Backend it counts: nothing can be judged by them. */
  isEveryTargetMissing(): boolean {
    const fresh = this.#freshCounters();
    return fresh.length > 0 && fresh.every(({ labels }) => (labels[LABELS.target] ?? '') === '');
  }

  /** A counter whose newest value is no number, by name; null: none. */
  spoiltCounter(): string | null {
    const spoilt = this.#freshCounters().find(({ values }) => !isCount(values.at(-1) ?? 0));
    return spoilt?.labels['__name__'] ?? null;
  }

  /** Those of the newest scrapes. One that ended, as its proxy did, says nothing of the present. */
  #freshCounters(): Known[] {
    const scrapes = this.scrapes();
    const newestSecs = Math.max(...scrapes.map(({ times }) => times.at(-1) ?? 0));
    const sinceSecs = newestSecs - FRESH_SCRAPES * (intervalOf(scrapes) ?? 0);
    return [...this.#known.values()].filter(
      ({ labels, times }) => labels['__name__'] !== 'up' && (times.at(-1) ?? 0) >= sinceSecs,
    );
  }
}

/** What overlaps is known already; what is not yet was made up. */
function append(known: Known, { times, values }: Series, nowSecs: number): void {
  let newestSecs = known.times.at(-1) ?? 0;
  for (let index = 0; index < times.length; index += 1) {
    const atSecs = times[index] ?? 0;
    if (atSecs <= newestSecs || atSecs > nowSecs) continue;
    known.times.push(atSecs);
    known.values.push(values[index] ?? Number.NaN);
    newestSecs = atSecs;
  }
}
