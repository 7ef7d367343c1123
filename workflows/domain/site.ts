/** A Site: servers that are run together and governed by one controller. */
export type SiteStatus = 'online' | 'offline' | 'standby' | 'evacuate';

export interface Site {
  /** uuid of the GeoDB row. */
  readonly id: string;
  /** Must equal `CLUSTER_SITE` of its controller. */
  readonly name: string;
  readonly status: SiteStatus;
  /** Host that other sites' proxies connect to; null where none is set. */
  readonly loadBalancer: string | null;
  readonly tag: string | null;
}

export interface SiteReachability {
  readonly sourceSiteId: string;
  readonly targetSiteId: string;
  readonly isReachable: boolean;
  readonly checkedAtMs: number | null;
}
