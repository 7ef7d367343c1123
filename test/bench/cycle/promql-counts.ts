/**
 * The counts as PromQL alone would answer them, one query for each counter and look-back: the alternative
 * that raw samples are measured against.
 */
const SITE = 'site';

export function promqlCounts(
  metrics: readonly string[],
  windowsSecs: readonly number[],
  { siteName, scrapeIntervalSecs }: { siteName: string; scrapeIntervalSecs: number },
): string[] {
  return metrics.flatMap((metric) =>
    windowsSecs.map((windowSecs) =>
      countedWithin({
        series: `${metric}{${SITE}="${siteName}",dest_host!=""}`,
        proxies: `up{job="dovecot_proxy",${SITE}="${siteName}"}`,
        window: `${windowSecs}s`,
        nearby: `${3 * scrapeIntervalSecs}s`,
      }),
    ),
  );
}

/**
 * Known at both ends and never reset: the difference. Unknown at the beginning although its proxy was
 * scraped then: all of the value. Everything else: what `increase()` saw.
 */
function countedWithin(of: {
  readonly series: string;
  readonly proxies: string;
  readonly window: string;
  readonly nearby: string;
}): string {
  const { series, proxies, window, nearby } = of;
  const last = `last_over_time(${series}[${window}])`;
  const first = `last_over_time(${series}[${nearby}] offset ${window})`;
  const count = `count_over_time(${series}[${window}])`;
  const wasScraped = `(last_over_time(${proxies}[${nearby}] offset ${window}) == 1)`;
  const scrapes = `max by (instance) (sum_over_time(${proxies}[${window}]))`;
  const bornAt0 =
    `((0 * ${count}) and on(instance) ${wasScraped})` +
    ` or (0 * (${count} < on(instance) group_left() ${scrapes}))`;
  return (
    `sum by (dest_host) ((((${last} - (${first} or ${bornAt0})) >= 0)` +
    ` unless (resets(${series}[${window}]) > 0)) or increase(${series}[${window}]))`
  );
}
