/** What the proxies of a site counted, read from Prometheus. */
import type { PrometheusConfig } from '../../platform/config.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { AttemptWindow, BlindReason, SiteMetrics } from '../../workflows/domain/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { countAttempts, reachOf } from './count-attempts.ts';
import { badAnswer, PrometheusApi } from './prometheus-api.ts';
import type { Prometheus, SiteMetricsQuery } from './prometheus.ts';
import { ProxyHistory } from './proxy-history.ts';
import { createQueries } from './queries.ts';
import type { Queries } from './queries.ts';
import { createLoadReader } from './read-load.ts';
import type { LoadReader } from './read-load.ts';
import { viewOf } from './view.ts';

const TIMEOUT_MS = 2000;
/** A process that knows nothing yet asks for all samples of the longest look-back. */
const FIRST_TIMEOUT_MS = 5000;
const LEAST_SCRAPES = 4;
/** Counting needs the scrape before the longest look-back; scrapes are at most a minute apart. */
const KEPT_BEFORE_SECS = 75;

export function createPrometheus(
  config: PrometheusConfig,
  logger: Logger,
  metrics: Metrics,
): Prometheus {
  const api = new PrometheusApi(config.url, metrics);
  const readLoad = createLoadReader(api, logger);
  const sites = new Map<string, SiteReader>();
  let lastReason: BlindReason | null = null;
  return {
    readSiteMetrics: async (query) => {
      const { siteName } = query;
      const reader = sites.get(siteName) ?? new SiteReader(api, config, siteName, readLoad);
      sites.set(siteName, reader);
      const takenAtMs = Date.now();
      try {
        const read = await reader.read(query);
        lastReason = null;
        return { takenAtMs, ...read };
      } catch (error) {
        const blindReason = toBlindReason(error);
        // Said once: it is read every few seconds, and every decision says it too.
        if (blindReason !== lastReason) {
          logger.warn({ error, siteName, blindReason }, 'metrics cannot be read');
        }
        lastReason = blindReason;
        return { takenAtMs, ...blindMetrics(blindReason, query.proxiesExpected ?? 0) };
      }
    },
    ping: async () => {
      await api.queryScalar('ping', 'time()', AbortSignal.timeout(TIMEOUT_MS));
    },
  };
}

function toBlindReason(error: unknown): BlindReason {
  const isBad = error instanceof GatewayError && error.code === 'BadAnswer';
  return isBad ? 'PrometheusBadAnswer' : 'PrometheusUnreachable';
}

type ReadMetrics = Omit<SiteMetrics, 'takenAtMs'>;

function blindMetrics(blindReason: BlindReason, proxiesExpected: number): ReadMetrics {
  return {
    view: {
      blindReason,
      proxiesExpected,
      proxiesSeen: 0,
      newestSampleMs: null,
      scrapeIntervalSecs: null,
    },
    attempts: {},
    load: {},
  };
}

/** One site, with what is known of its proxies. */
class SiteReader {
  readonly #api: PrometheusApi;
  readonly #queries: Queries;
  readonly #readLoad: LoadReader;
  readonly #history: ProxyHistory;
  #reading: Promise<ReadMetrics> | null = null;
  #asked = '';

  constructor(
    api: PrometheusApi,
    config: PrometheusConfig,
    siteName: string,
    readLoad: LoadReader,
  ) {
    this.#api = api;
    this.#queries = createQueries(config, siteName);
    this.#readLoad = readLoad;
    this.#history = new ProxyHistory(config.counters);
  }

  /** Whoever asks while a read is under way gets its answer; another question waits for its turn. */
  async read(query: SiteMetricsQuery): Promise<ReadMetrics> {
    const asked = JSON.stringify(query);
    while (this.#reading !== null) {
      if (this.#asked === asked) return this.#reading;
      await this.#reading.catch(() => undefined);
    }
    this.#asked = asked;
    this.#reading = this.#read(query).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(query: SiteMetricsQuery): Promise<ReadMetrics> {
    const { now } = this.#queries;
    const nowSecs = await this.#api.queryScalar('readNow', now, AbortSignal.timeout(TIMEOUT_MS));
    await this.#catchUp(nowSecs, query);
    const history = this.#history;
    const seen = viewOf(history.scrapes(), nowSecs + this.#stoppedSecs(nowSecs), query);
    const isUnlabelled = seen.blindReason === null && history.isEveryTargetMissing();
    const view = isUnlabelled ? { ...seen, blindReason: 'LabelsMissing' as const } : seen;
    const scrapeIntervalSecs = view.scrapeIntervalSecs ?? 0;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const load = await this.#readLoad(this.#queries, { scrapeIntervalSecs, signal });
    return { view, attempts: this.#count(nowSecs, query, scrapeIntervalSecs), load };
  }

  async #catchUp(nowSecs: number, { windowsSecs }: SiteMetricsQuery): Promise<void> {
    const history = this.#history;
    const longestSecs = Math.max(0, ...windowsSecs);
    history.keep(longestSecs + KEPT_BEFORE_SECS);
    const rangeSecs = history.rangeSecs(nowSecs);
    const timeoutMs = rangeSecs >= longestSecs ? FIRST_TIMEOUT_MS : TIMEOUT_MS;
    const answer = await this.#api.queryMatrix('readAttempts', this.#queries.attempts(rangeSecs), {
      nowSecs,
      signal: AbortSignal.timeout(timeoutMs),
    });
    history.take(answer, nowSecs);
    const spoilt = history.spoiltCounter();
    if (spoilt !== null) throw badAnswer('readAttempts', `no number (${spoilt})`);
  }

  /** Answers out of somebody's cache stay young for ever, unless their clock is watched. */
  readonly #stoppedSecs = createClockWatch();

  #count(
    nowSecs: number,
    query: SiteMetricsQuery,
    scrapeIntervalSecs: number,
  ): Record<string, AttemptWindow[]> {
    const windowsSecs = lengthen(query.windowsSecs, scrapeIntervalSecs);
    const history = this.#history;
    return countAttempts(history.counters(), history.scrapesByProxy(), {
      nowSecs,
      windowsSecs,
      reachSecs: reachOf(scrapeIntervalSecs),
    });
  }
}

/** @returns for how long a clock has been standing still, by ours; 0 as soon as it goes on. */
function createClockWatch(): (nowSecs: number) => number {
  let last: { readonly nowSecs: number; readonly ourMs: number } | null = null;
  let stoppedSecs = 0;
  return (nowSecs) => {
    const ourMs = performance.now();
    if (last !== null) {
      const ourSecs = (ourMs - last.ourMs) / 1000;
      const theirSecs = nowSecs - last.nowSecs;
      stoppedSecs = theirSecs < ourSecs / 2 ? stoppedSecs + ourSecs - theirSecs : 0;
    }
    last = { nowSecs, ourMs };
    return stoppedSecs;
  };
}

/** Under four scrapes a rate is guesswork. Two look-backs that become the same are one. */
function lengthen(windowsSecs: readonly number[], scrapeIntervalSecs: number): number[] {
  const leastSecs = LEAST_SCRAPES * scrapeIntervalSecs;
  const lengthened = windowsSecs.map((secs) => Math.max(secs, leastSecs));
  return [...new Set(lengthened)].sort((a, b) => a - b);
}
