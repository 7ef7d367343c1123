/** Every PromQL text. */
import type { MetricNames } from './names.ts';

export interface Queries {
  /** Prometheus's own clock: ages are differences to it, never to ours. */
  readonly now: string;
  /** Scrapes of the proxies of the site, each with its time. */
  readonly proxyScrapes: string;
  /** How often one counter rose within a look-back, by Backend. */
  increase(metric: string, windowSecs: number, scrapeIntervalSecs: number): string;
  /** Mean of a load figure, by Backend. */
  load(metric: string, windowSecs: number): string;
  /** How many samples of a load figure there are, by Backend. */
  samples(metric: string): string;
}

/** Long enough for two scrapes a minute apart. */
const SCRAPES_LOOK_BACK = '150s';
const SAMPLES_LOOK_BACK = '1d';

export function createQueries(names: MetricNames, siteName: string): Queries {
  const site = `${names.siteLabel}="${escapeLabel(siteName)}"`;
  const proxies = `up{job="${names.proxyJob}",${site}}`;
  const backends = `{${site},${names.backendLabel}!=""}`;
  return {
    now: 'time()',
    proxyScrapes: `${proxies}[${SCRAPES_LOOK_BACK}]`,
    increase: (metric, windowSecs, scrapeIntervalSecs) => {
      const series = `${metric}{${site},${names.targetLabel}!=""}`;
      return countedWithin({ series, proxies, names, windowSecs, scrapeIntervalSecs });
    },
    load: (metric, windowSecs) =>
      `max by (${names.backendLabel}) (avg_over_time(${metric}${backends}[${toDuration(windowSecs)}]))`,
    samples: (metric) =>
      `max by (${names.backendLabel}) (count_over_time(${metric}${backends}[${SAMPLES_LOOK_BACK}]))`,
  };
}

interface Counted {
  readonly series: string;
  readonly proxies: string;
  readonly names: MetricNames;
  readonly windowSecs: number;
  readonly scrapeIntervalSecs: number;
}

/**
 * `increase()` alone is wrong twice: it misses the first event of a series, which appears with the
 * value 1, and it stretches what it saw over the whole look-back. So, for each series:
 *
 * - known at both ends and never reset: the difference;
 * - unknown at the beginning, although its proxy was being scraped then, or was scraped since without
 *   it: it was born within, at 0, and all of its value counts;
 * - everything else (a reset, a proxy that merely became visible, a gap): what `increase()` saw.
 *
 * The beginning is looked up in a few scrapes around it only: after a gap Prometheus would offer
 * a value that is minutes older.
 */
function countedWithin({
  series,
  proxies,
  names,
  windowSecs,
  scrapeIntervalSecs,
}: Counted): string {
  const window = toDuration(windowSecs);
  const nearby = toDuration(Math.max(1, 3 * scrapeIntervalSecs));
  const last = `last_over_time(${series}[${window}])`;
  const first = `last_over_time(${series}[${nearby}] offset ${window})`;
  const count = `count_over_time(${series}[${window}])`;
  const wasScraped = `(last_over_time(${proxies}[${nearby}] offset ${window}) == 1)`;
  const scrapes = `max by (${names.proxyLabel}) (sum_over_time(${proxies}[${window}]))`;
  const bornAt0 =
    `((0 * ${count}) and on(${names.proxyLabel}) ${wasScraped})` +
    ` or (0 * (${count} < on(${names.proxyLabel}) group_left() ${scrapes}))`;
  return (
    `sum by (${names.targetLabel}) (` +
    `(((${last} - (${first} or ${bornAt0})) >= 0) unless (resets(${series}[${window}]) > 0))` +
    ` or increase(${series}[${window}]))`
  );
}

/** PromQL knows no fractions of a unit. */
function toDuration(secs: number): string {
  return `${Math.max(1, Math.round(secs * 1000))}ms`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
