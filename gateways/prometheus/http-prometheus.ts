/** What the proxies of a site counted, read from Prometheus. */
import type {
  AttemptCounts,
  AttemptWindow,
  BackendLoad,
  BlindReason,
  SiteMetrics,
} from '../../workflows/domain/metrics.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { METRIC_NAMES } from './names.ts';
import type { MetricNames } from './names.ts';
import type { Sample } from './prometheus-api.ts';
import { PrometheusApi } from './prometheus-api.ts';
import type { Prometheus, SiteMetricsQuery } from './prometheus.ts';
import { createQueries } from './queries.ts';
import type { Queries } from './queries.ts';
import { viewOf } from './view.ts';

const TIMEOUT_MS = 2000;
const LEAST_SCRAPES = 4;
const LOAD_WINDOW_SECS = 60;
/** Counting a day of samples is dear, and they grow slowly. */
const SAMPLES_KNOWN_FOR_MS = 60_000;

export function createPrometheus(
  options: { readonly url: string; readonly names?: MetricNames },
  logger: Logger,
  metrics: Metrics,
): Prometheus {
  const names = options.names ?? METRIC_NAMES;
  const api = new PrometheusApi(options.url, metrics);
  const readSamples = createSampleCounter(api, names);
  let lastReason: BlindReason | null = null;
  return {
    readSiteMetrics: async (query) => {
      const takenAtMs = Date.now();
      try {
        const read = await readSiteMetrics(api, names, query, readSamples);
        lastReason = null;
        return { takenAtMs, ...read };
      } catch (error) {
        const blindReason = toBlindReason(error);
        // Said once: it is read every few seconds, and every decision says it too.
        if (blindReason !== lastReason) {
          logger.warn({ error, siteName: query.siteName, blindReason }, 'metrics cannot be read');
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

function blindMetrics(
  blindReason: BlindReason,
  proxiesExpected: number,
): Omit<SiteMetrics, 'takenAtMs'> {
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

type SampleCounter = (
  queries: Queries,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, number>>;

async function readSiteMetrics(
  api: PrometheusApi,
  names: MetricNames,
  query: SiteMetricsQuery,
  readSamples: SampleCounter,
): Promise<Omit<SiteMetrics, 'takenAtMs'>> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const queries = createQueries(names, query.siteName);
  const [nowSecs, scrapes] = await Promise.all([
    api.queryScalar('readNow', queries.now, signal),
    api.queryMatrix('readProxyScrapes', queries.proxyScrapes, signal),
  ]);
  const view = viewOf(scrapes, nowSecs, query);
  const scrapeIntervalSecs = view.scrapeIntervalSecs ?? 0;
  const windowsSecs = lengthen(query.windowsSecs, scrapeIntervalSecs);
  const [counts, load] = await Promise.all([
    Promise.all(
      windowsSecs.map((windowSecs) =>
        readCounts(api, names, queries, { windowSecs, scrapeIntervalSecs, signal }),
      ),
    ),
    readLoad(api, names, queries, { scrapeIntervalSecs, signal, readSamples }),
  ]);
  return { view, attempts: byBackend(windowsSecs, counts), load };
}

/** Under four scrapes a rate is guesswork. Two look-backs that become the same are one. */
function lengthen(windowsSecs: readonly number[], scrapeIntervalSecs: number): number[] {
  const leastSecs = LEAST_SCRAPES * scrapeIntervalSecs;
  const lengthened = windowsSecs.map((secs) => Math.max(secs, leastSecs));
  return [...new Set(lengthened)].sort((a, b) => a - b);
}

type CountsByBackend = ReadonlyMap<string, number>;

/** The four counters over one look-back. */
interface WindowCounts {
  readonly loginSucceeded: CountsByBackend;
  readonly loginFailed: CountsByBackend;
  readonly deliverySucceeded: CountsByBackend;
  readonly deliveryFailed: CountsByBackend;
}

async function readCounts(
  api: PrometheusApi,
  names: MetricNames,
  queries: Queries,
  options: { windowSecs: number; scrapeIntervalSecs: number; signal: AbortSignal },
): Promise<WindowCounts> {
  const { windowSecs, scrapeIntervalSecs, signal } = options;
  const read = async (metric: string): Promise<CountsByBackend> => {
    const text = queries.increase(metric, windowSecs, scrapeIntervalSecs);
    const samples = await api.queryVector('readAttempts', text, { signal });
    return byLabel(samples, names.targetLabel, (value) => Math.max(0, Math.round(value)));
  };
  const [loginSucceeded, loginFailed, deliverySucceeded, deliveryFailed] = await Promise.all([
    read(names.loginSucceeded),
    read(names.loginFailed),
    read(names.deliverySucceeded),
    read(names.deliveryFailed),
  ]);
  return { loginSucceeded, loginFailed, deliverySucceeded, deliveryFailed };
}

function byBackend(
  windowsSecs: readonly number[],
  counts: readonly WindowCounts[],
): Record<string, AttemptWindow[]> {
  const hosts = new Set(
    counts.flatMap(({ loginSucceeded, loginFailed, deliverySucceeded, deliveryFailed }) =>
      [loginSucceeded, loginFailed, deliverySucceeded, deliveryFailed].flatMap((one) => [
        ...one.keys(),
      ]),
    ),
  );
  const windowOf = (host: string, index: number): AttemptWindow => {
    const window = counts[index];
    const pair = (
      ok: CountsByBackend | undefined,
      no: CountsByBackend | undefined,
    ): AttemptCounts => ({
      succeeded: ok?.get(host) ?? 0,
      failed: no?.get(host) ?? 0,
    });
    return {
      windowSecs: windowsSecs[index] ?? 0,
      logins: pair(window?.loginSucceeded, window?.loginFailed),
      deliveries: pair(window?.deliverySucceeded, window?.deliveryFailed),
    };
  };
  return Object.fromEntries(
    [...hosts].sort().map((host) => [host, windowsSecs.map((_, index) => windowOf(host, index))]),
  );
}

async function readLoad(
  api: PrometheusApi,
  names: MetricNames,
  queries: Queries,
  options: { scrapeIntervalSecs: number; signal: AbortSignal; readSamples: SampleCounter },
): Promise<Record<string, BackendLoad>> {
  const { scrapeIntervalSecs, signal, readSamples } = options;
  const windowSecs = Math.max(LOAD_WINDOW_SECS, LEAST_SCRAPES * scrapeIntervalSecs);
  const read = async (metric: string): Promise<CountsByBackend> =>
    byLabel(
      await api.queryVector('readLoad', queries.load(metric, windowSecs), {
        signal,
        isNaNAbsent: true,
      }),
      names.backendLabel,
      (value) => value,
    );
  const [cpu, memory, metacache, samples] = await Promise.all([
    read(names.cpuCores),
    read(names.memoryBytes),
    read(names.metacacheBytes),
    readSamples(queries, signal),
  ]);
  const hosts = new Set([...cpu.keys(), ...memory.keys(), ...metacache.keys()]);
  return Object.fromEntries(
    [...hosts].sort().map((host) => [
      host,
      {
        cpu: cpu.get(host) ?? null,
        memoryBytes: memory.get(host) ?? null,
        metacacheBytes: metacache.get(host) ?? null,
        samples: samples.get(host) ?? 0,
      },
    ]),
  );
}

function createSampleCounter(api: PrometheusApi, names: MetricNames): SampleCounter {
  const known = new Map<string, { atMs: number; counts: ReadonlyMap<string, number> }>();
  return async (queries, signal) => {
    const text = queries.samples(names.cpuCores);
    const last = known.get(text);
    if (last !== undefined && Date.now() - last.atMs < SAMPLES_KNOWN_FOR_MS) return last.counts;
    try {
      const samples = await api.queryVector('readSamples', text, { signal });
      const counts = byLabel(samples, names.backendLabel, (value) => value);
      known.set(text, { atMs: Date.now(), counts });
      return counts;
    } catch {
      // Counted and logged already; health is judged without it.
      return last?.counts ?? new Map<string, number>();
    }
  };
}

function byLabel(
  samples: readonly Sample[],
  label: string,
  toValue: (value: number) => number,
): Map<string, number> {
  return new Map(samples.map(({ labels, value }) => [labels[label] ?? '', toValue(value)]));
}
