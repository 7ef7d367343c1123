/** The latest metrics of a site: from Redis, or from Prometheus itself where Redis has none. */
import type { SiteMetrics } from '../workflows/domain/metrics.ts';
import { lookBacksOf } from '../workflows/domain/policy-settings.ts';
import type { Dependencies } from './dependencies.ts';
import { memoize, withTimeout } from '../platform/memoize.ts';

const PROMETHEUS_AGE_MS = 2000;
const PROMETHEUS_TIMEOUT_MS = 1500;

export interface SiteMetricsAnswer {
  readonly source: 'cache' | 'prometheus' | 'none';
  readonly metrics: SiteMetrics | null;
}

/** Never rejects. */
export type SiteMetricsReader = (siteName: string) => Promise<SiteMetricsAnswer>;

export function createSiteMetrics(dependencies: Dependencies): SiteMetricsReader {
  const { cache, config, logger, now } = dependencies;
  const readers = new Map<string, () => Promise<SiteMetrics | null>>();
  const readDirectly = (siteName: string): Promise<SiteMetrics | null> => {
    let reader = readers.get(siteName);
    if (reader === undefined) {
      reader = memoize(() => askPrometheus(dependencies, siteName), PROMETHEUS_AGE_MS, now);
      readers.set(siteName, reader);
    }
    return reader().catch((error: unknown) => {
      logger.warn({ error }, 'metrics could not be read');
      return null;
    });
  };
  return async (siteName) => {
    const cached = await cache.readMetrics(siteName);
    const maxAgeMs = config.policy.metricsMaxAgeSecs * 1000;
    if (cached !== null && now() - cached.takenAtMs <= maxAgeMs) {
      return { source: 'cache', metrics: cached };
    }
    const direct = await readDirectly(siteName);
    return direct === null
      ? { source: cached === null ? 'none' : 'cache', metrics: cached }
      : { source: 'prometheus', metrics: direct };
  };
}

async function askPrometheus(
  { prometheus, config }: Dependencies,
  siteName: string,
): Promise<SiteMetrics> {
  const { policy, proxyHosts } = config;
  const isHome = siteName === config.site && proxyHosts.length > 0;
  const reading = prometheus.readSiteMetrics({
    siteName,
    proxiesExpected: isHome ? proxyHosts.length : null,
    windowsSecs: lookBacksOf(policy),
    maxAgeSecs: policy.metricsMaxAgeSecs,
    minProxyShare: policy.metricsMinProxyShare,
  });
  return await withTimeout(reading, PROMETHEUS_TIMEOUT_MS, () => new Error('Prometheus is slow'));
}
