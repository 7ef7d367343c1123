/** The sites and Backends of the cluster, found by name. */
import type { Backend } from '../workflows/domain/backend.ts';
import type { Site } from '../workflows/domain/site.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError } from './errors.ts';
import type { SiteView } from './schemas/cluster.ts';

export interface Cluster {
  readonly home: Site;
  /** By name. */
  readonly sites: readonly Site[];
  /** Of all sites, by host. */
  readonly backends: readonly Backend[];
  hostOf(backendId: string): string | null;
  siteNameOf(siteId: string): string | null;
}

/** Rejects with GatewayError{cassandra}, or ApiError SiteUnknown where the home site is missing. */
export async function readCluster({ geodb, config }: Dependencies): Promise<Cluster> {
  const [sites, backends] = await Promise.all([geodb.readSites(), geodb.readBackends()]);
  const sortedSites = [...sites].sort((a, b) => compare(a.name, b.name));
  const sortedBackends = [...backends].sort((a, b) => compare(a.host, b.host));
  const backendsById = new Map(backends.map((backend) => [backend.id, backend]));
  const sitesById = new Map(sites.map((site) => [site.id, site]));
  return {
    home: findSite(sortedSites, config.site),
    sites: sortedSites,
    backends: sortedBackends,
    hostOf: (backendId) => backendsById.get(backendId)?.host ?? null,
    siteNameOf: (siteId) => sitesById.get(siteId)?.name ?? null,
  };
}

/** By name or id; throws ApiError SiteUnknown. */
export function findSite(sites: readonly Site[], nameOrId: string): Site {
  const site = sites.find(({ name, id }) => name === nameOrId || id === nameOrId);
  if (site === undefined) {
    throw new ApiError('SiteUnknown', `there is no site ${nameOrId}`);
  }
  return site;
}

export function backendsOf(cluster: Cluster, site: Site): Backend[] {
  return cluster.backends.filter((backend) => backend.siteId === site.id);
}

/** Of the home site first, else of any site; throws ApiError BackendUnknown. */
export function findBackend(cluster: Cluster, host: string): Backend {
  const found = cluster.backends.filter((backend) => backend.host === host);
  const backend = found.find(({ siteId }) => siteId === cluster.home.id) ?? found[0];
  if (backend === undefined) {
    throw new ApiError('BackendUnknown', `there is no Backend ${host}`);
  }
  return backend;
}

/** What may be changed from here; throws ApiError BackendUnknown or NotHomeSite. */
export function findHomeBackend(cluster: Cluster, host: string): Backend {
  const backend = findBackend(cluster, host);
  if (backend.siteId !== cluster.home.id) {
    const site = cluster.siteNameOf(backend.siteId) ?? 'another site';
    throw new ApiError('NotHomeSite', `${host} belongs to ${site}: ask its controller`);
  }
  return backend;
}

export function presentSite(cluster: Cluster, site: Site): SiteView {
  const backends = backendsOf(cluster, site);
  return {
    id: site.id,
    name: site.name,
    status: site.status,
    loadBalancer: site.loadBalancer,
    tag: site.tag,
    isHome: site.id === cluster.home.id,
    backendCount: backends.length,
    onlineBackendCount: backends.filter(({ status }) => status === 'online').length,
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
