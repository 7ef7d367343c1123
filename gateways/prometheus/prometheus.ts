/** Prometheus: what the proxies counted, and how loaded the Backends are. */
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';

export interface SiteMetricsQuery {
  readonly siteName: string;
  /** How many proxies the site has; null: as many as are scraped. */
  readonly proxiesExpected: number | null;
  /** Look-backs in seconds, ascending; lengthened to 4 scrape intervals where shorter. */
  readonly windowsSecs: readonly number[];
  readonly maxAgeSecs: number;
  readonly minProxyShare: number;
}

export interface Prometheus {
  /**
   * Never throws for a dead or broken Prometheus: that is a blind view with its reason.
   */
  readSiteMetrics(query: SiteMetricsQuery): Promise<SiteMetrics>;
  ping(): Promise<void>;
}
