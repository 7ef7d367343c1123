/** What there is in a lab under soak, by name; the same whatever its net. */
import { hostsOf } from '../../lab/mail/hosts.mjs';

export const SITES = ['north', 'south'] as const;
export type SiteName = (typeof SITES)[number];

/** Processes of the controllers; `north` has two workers, so that one goes on where the other is frozen. */
export const CONTROLLERS = [
  'worker-north',
  'worker-north-2',
  'worker-south',
  'api-north',
  'api-south',
] as const;
export const STORES = ['temporal', 'cassandra', 'redis', 'prometheus'] as const;

export const siteOfController = (name: string): SiteName =>
  name.includes('south') ? 'south' : 'north';

/** Names do not depend on the net. */
const HOSTS = hostsOf(0);

export const hostNames = (site: string, role: 'proxy' | 'backend'): string[] =>
  HOSTS.filter((host) => host.site === site && host.role === role).map(({ name }) => name);
export const BACKENDS = SITES.flatMap((site) => hostNames(site, 'backend'));
export const PROXIES = SITES.flatMap((site) => hostNames(site, 'proxy'));

/** @param name of a host, or of one of its two parts */
export const siteOfHost = (name: string): SiteName =>
  name.startsWith('south') ? 'south' : 'north';

export const clusterServiceOf = (host: string): string => `${host}-cluster`;

/** A pair of neighbours, as one word. */
export const linkName = (from: string, to: string): string => `${from}>${to}`;
