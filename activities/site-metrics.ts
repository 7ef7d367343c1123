import type { SiteMetrics } from '../workflows/domain/metrics.ts';
import { lookBacksOf } from '../workflows/domain/policy-settings.ts';
import type { ActivityContext } from './context.ts';

/** One read of Prometheus for the home site, straight from it: Redis is only a cache for people. */
export function readSiteMetrics(context: ActivityContext): Promise<SiteMetrics> {
  const { config } = context;
  return context.prometheus.readSiteMetrics({
    siteName: config.site,
    proxiesExpected: config.proxyHosts.length > 0 ? config.proxyHosts.length : null,
    windowsSecs: lookBacksOf(config.policy),
    maxAgeSecs: config.policy.metricsMaxAgeSecs,
    minProxyShare: config.policy.metricsMinProxyShare,
  });
}
