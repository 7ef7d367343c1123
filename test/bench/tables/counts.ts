/** What one read of the attempts costs Prometheus and us, beside the other ways to have them. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPrometheus } from '../../../gateways/prometheus/http-prometheus.ts';
import type { SiteMetricsQuery } from '../../../gateways/prometheus/prometheus.ts';
import { startLab } from '../../../lab/parts/lab.mjs';
import { readConfig } from '../../../platform/config.ts';
import { createLogger } from '../../../platform/logger.ts';
import { createMetrics } from '../../../platform/metrics.ts';
import { lookBacksOf } from '../../../workflows/domain/policy-settings.ts';
import { quantile, spread } from '../bench-table.ts';
import type { Bench, BenchTable, Measured } from '../bench-table.ts';
import { startSyntheticExporter } from '../cycle/exporter.ts';
import { promqlCounts } from '../cycle/promql-counts.ts';
import { SCRAPE_INTERVAL_SECS, startBenchPrometheus } from '../cycle/scraped-by-prometheus.ts';
import type { BenchPrometheus } from '../cycle/scraped-by-prometheus.ts';

const SITE = 'north';
const BACKENDS = 500;
const PROXIES = 4;
const PORT = 9900;
/** Every fifth Backend has failures, so that failure counters exist too. */
const FAILING = 5;
const FAILED_SHARE = 0.01;
const RULE_ROUNDS = 3;

const config = readConfig({ CLUSTER_SITE: SITE });
const windowsSecs = lookBacksOf(config.policy);
/** Until the longest look-back is full. */
const FILL_SECS = Math.max(...windowsSecs) + 20;
const QUERY: SiteMetricsQuery = {
  siteName: SITE,
  proxiesExpected: PROXIES,
  windowsSecs,
  maxAgeSecs: config.policy.metricsMaxAgeSecs,
  minProxyShare: config.policy.metricsMinProxyShare,
};

export const countsTable: BenchTable = {
  name: 'counts',
  question:
    'What does one read of the attempts of all Backends cost, in CPU time of Prometheus and of ours?',
  run: async (bench) => {
    const lab = await startLab({ net: bench.net, stateDir: bench.stateDir, parts: [] });
    const core = lab.addresses.host;
    const backends = Math.round(BACKENDS * bench.scale);
    const hosts = Array.from({ length: backends }, (_, index) => `mail${index + 1}.example.com`);
    const troubles = hosts.flatMap((_, backend) =>
      backend % FAILING === 0 ? [{ backend, failedShare: FAILED_SHARE }] : [],
    );
    const exporter = await startSyntheticExporter(
      { host: core, port: PORT },
      { backends: hosts, proxies: PROXIES },
      () => troubles,
    );
    const folder = join(bench.stateDir, 'prometheus');
    const prometheus = await startBenchPrometheus(folder, `${core}:9090`, {
      siteName: SITE,
      exporter: `${core}:${PORT}`,
      proxies: PROXIES,
    });
    try {
      bench.print(`filling ${FILL_SECS} s of look-back`);
      await sleep(FILL_SECS * 1000);
      return await measure(bench, prometheus);
    } finally {
      await prometheus.stop();
      await exporter.close();
      await lab.stop();
    }
  },
};

interface Cost {
  readonly theirs: number[];
  readonly ours: number[];
  readonly wallMs: number[];
}

async function measure(bench: Bench, prometheus: BenchPrometheus): Promise<Measured> {
  const idle = await cpuPerSec(prometheus);
  const queries = promqlCounts(Object.values(config.prometheus.counters), windowsSecs, {
    siteName: SITE,
    scrapeIntervalSecs: SCRAPE_INTERVAL_SECS,
  });
  const repeat = (work: () => Promise<unknown>, pause?: () => Promise<void>): Promise<Cost> =>
    costOf(prometheus, { idlePerSec: idle, runs: bench.runs, work, pause });
  const asked = await repeat(() => Promise.all(queries.map((text) => prometheus.query(text))));
  const whole = await repeat(() => newReader(prometheus.url).readSiteMetrics(QUERY));
  const reader = newReader(prometheus.url);
  const first = await reader.readSiteMetrics(QUERY);
  if (first.view.blindReason !== null) throw new Error(`blind: ${first.view.blindReason}`);
  const nextScrape = (): Promise<void> => sleep(SCRAPE_INTERVAL_SECS * 1000);
  const added = await repeat(() => reader.readSiteMetrics(QUERY), nextScrape);
  const recorded = await costOfRules(prometheus, queries);
  const row = (name: string, cost: Cost, remark: string): string[] => [
    name,
    spread(cost.theirs, 0),
    spread(cost.ours, 0),
    spread(cost.wallMs, 0),
    remark,
  ];
  const series = await prometheus.query(
    `count({__name__=~"${Object.values(config.prometheus.counters).join('|')}",site="${SITE}"})`,
  );
  bench.figures.atMost(
    'C6',
    'CPU of Prometheus for one read',
    quantile(added.theirs, 0.5),
    340,
    'ms',
  );
  return {
    columns: ['way', 'CPU of Prometheus, ms', 'CPU of ours, ms', 'until answered, ms', 'remark'],
    rows: [
      row('raw samples, only the new ones', added, 'what the product does'),
      row('raw samples, all of the look-back', whole, 'its first read'),
      row(`${queries.length} counts in PromQL`, asked, 'for each counter and look-back'),
      [
        `${queries.length} recording rules`,
        String(Math.round(recorded)),
        '-',
        '-',
        'each evaluation, read or not',
      ],
    ],
    notes: [
      `${Math.round(BACKENDS * bench.scale)} Backends at ${PROXIES} proxies, scraped every ${SCRAPE_INTERVAL_SECS} s: ` +
        `${series[0]?.value[1] ?? '?'} series of counters; look-backs ${windowsSecs.join(', ')} s.`,
      'CPU time does not depend on what else shares the cores; the time until answered does.',
      `Scrapes and rules cost Prometheus ${Math.round(idle * 1000)} ms of CPU a second meanwhile, which is subtracted.`,
    ],
  };
}

const newReader = (url: string) =>
  createPrometheus(
    readConfig({ CLUSTER_SITE: SITE, PROMETHEUS_URL: url }).prometheus,
    createLogger({ level: 'silent', role: 'bench' }),
    createMetrics({ isDefaultIncluded: false }),
  );

/** What it uses without us. */
async function cpuPerSec(prometheus: BenchPrometheus): Promise<number> {
  const startedMs = performance.now();
  const before = prometheus.cpuSecs();
  await sleep(6 * SCRAPE_INTERVAL_SECS * 1000);
  return (prometheus.cpuSecs() - before) / ((performance.now() - startedMs) / 1000);
}

async function costOf(
  prometheus: BenchPrometheus,
  how: {
    readonly idlePerSec: number;
    readonly runs: number;
    readonly work: () => Promise<unknown>;
    /** Before each, not measured. */
    readonly pause: (() => Promise<void>) | undefined;
  },
): Promise<Cost> {
  const cost: Cost = { theirs: [], ours: [], wallMs: [] };
  for (let run = 0; run < how.runs; run += 1) {
    await how.pause?.();
    const startedMs = performance.now();
    const theirs = prometheus.cpuSecs();
    const ours = process.cpuUsage();
    await how.work();
    const tookMs = performance.now() - startedMs;
    const { user, system } = process.cpuUsage(ours);
    const idleMs = how.idlePerSec * tookMs;
    cost.theirs.push(Math.max(0, (prometheus.cpuSecs() - theirs) * 1000 - idleMs));
    cost.ours.push((user + system) / 1000);
    cost.wallMs.push(tookMs);
  }
  return cost;
}

/** One evaluation of a rule for each count, in milliseconds. */
async function costOfRules(
  prometheus: BenchPrometheus,
  queries: readonly string[],
): Promise<number> {
  const rules = queries.map((expr, index) => ({ record: `bench:count${index}`, expr }));
  const secs = 20;
  const idle = await cpuPerSec(prometheus);
  await prometheus.loadRules([{ name: 'bench', interval: `${secs}s`, rules }]);
  await sleep(secs * 1000);
  const before = prometheus.cpuSecs();
  await sleep(RULE_ROUNDS * secs * 1000);
  const used = prometheus.cpuSecs() - before;
  await prometheus.loadRules([]);
  return Math.max(0, (used / RULE_ROUNDS - idle * secs) * 1000);
}
