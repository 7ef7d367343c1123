/** `cache_metrics`: the latest metrics to Redis, which Backends look bad, and which we reach. */
import type { AttemptWindow, BlindReason } from '../workflows/domain/metrics.ts';
import type { PolicySettings } from '../workflows/domain/policy-settings.ts';
import { resolveFeature } from '../workflows/policy/resolve-feature.ts';
import type { ActivityContext, SharedLooks } from './context.ts';
import { readHomeSite } from './read-cluster.ts';
import { readSwitches } from './read-flags.ts';
import { readSiteMetrics } from './site-metrics.ts';

export interface Glance {
  readonly isExporting: boolean;
  readonly blindReason: BlindReason | null;
  readonly settings: PolicySettings;
  /** Only Backends with a failure in any look-back: a healthy site is a small answer. */
  readonly suspects: readonly {
    readonly host: string;
    readonly attempts: readonly AttemptWindow[];
  }[];
}

export interface ReadMetricsActivities {
  cacheLatestMetrics(): Promise<Glance>;
}

export function createReadMetrics(
  context: ActivityContext,
  looks: Pick<SharedLooks, 'findReachable'>,
): ReadMetricsActivities {
  const { config } = context;
  return {
    async cacheLatestMetrics() {
      const startedAtMs = Date.now();
      const [site, switches] = await Promise.all([
        readHomeSite(context),
        readSwitches(context, startedAtMs),
      ]);
      const place = { siteId: site.id, backendId: null, nowMs: startedAtMs };
      const state = resolveFeature(switches.flags, 'MetricsExport', place).state;
      // No metric of ours, and the task that runs most often: so it is looked at here, whatever the flag.
      await looks.findReachable(await context.geodb.readBackends(site.id));
      if (state === 'disabled') {
        return { isExporting: false, blindReason: null, settings: config.policy, suspects: [] };
      }
      const metrics = await readSiteMetrics(context);
      await context.cache.saveMetrics(config.site, metrics);
      await context.cache.publish({ siteName: config.site, topic: 'metrics', atMs: Date.now() });
      const suspects = Object.entries(metrics.attempts)
        .filter(([, windows]) => windows.some((w) => w.logins.failed + w.deliveries.failed > 0))
        .map(([host, attempts]) => ({ host, attempts }));
      const { blindReason } = metrics.view;
      return { isExporting: true, blindReason, settings: config.policy, suspects };
    },
  };
}
