/** How much of a site the metrics show, from the scrapes of its proxies. */
import type { BlindReason, MetricsView } from '../../workflows/domain/metrics.ts';
import type { Series } from './prometheus-api.ts';
import type { SiteMetricsQuery } from './prometheus.ts';

const LEAST_SCRAPES_OF_AGE = 3;

type Expectation = Pick<SiteMetricsQuery, 'proxiesExpected' | 'maxAgeSecs' | 'minProxyShare'>;

/** `nowSecs` is Prometheus's own time. A proxy is seen when its newest scrape is fresh and worked. */
export function viewOf(
  scrapes: readonly Series[],
  nowSecs: number,
  { proxiesExpected, maxAgeSecs, minProxyShare }: Expectation,
): MetricsView {
  const scrapeIntervalSecs = intervalOf(scrapes);
  const limitSecs = Math.max(maxAgeSecs, LEAST_SCRAPES_OF_AGE * (scrapeIntervalSecs ?? 0));
  const newest = scrapes.flatMap(({ times, values }) => {
    const atSecs = times.at(-1);
    return atSecs === undefined ? [] : [{ atSecs, value: values.at(-1) }];
  });
  const fresh = newest.filter(({ atSecs }) => nowSecs - atSecs <= limitSecs);
  const seen = fresh.filter(({ value }) => value === 1);
  const expected = proxiesExpected ?? fresh.length;
  const newestSecs = newest.reduce((latest, { atSecs }) => Math.max(latest, atSecs), 0);
  return {
    blindReason: blindReasonOf({
      isAnyKnown: newest.length > 0,
      isAnyFresh: fresh.length > 0,
      isEnough: seen.length > 0 && seen.length >= minProxyShare * expected,
    }),
    proxiesExpected: expected,
    proxiesSeen: seen.length,
    newestSampleMs: newest.length === 0 ? null : Math.round(newestSecs * 1000),
    scrapeIntervalSecs,
  };
}

function blindReasonOf(facts: {
  isAnyKnown: boolean;
  isAnyFresh: boolean;
  isEnough: boolean;
}): BlindReason | null {
  if (!facts.isAnyKnown) return 'NoProxies';
  if (!facts.isAnyFresh) return 'MetricsTooOld';
  return facts.isEnough ? null : 'TooFewProxies';
}

/** The median distance of two scrapes, to a tenth of a second; null before the second scrape. */
export function intervalOf(scrapes: readonly Pick<Series, 'times'>[]): number | null {
  const distances = scrapes
    .flatMap(({ times }) =>
      times.slice(1).map((atSecs, index) => atSecs - (times[index] ?? atSecs)),
    )
    .sort((a, b) => a - b);
  const median = distances[Math.floor(distances.length / 2)];
  return median === undefined ? null : Math.max(0.1, Math.round(median * 10) / 10);
}
