/**
 * Sites, Backends and rules, read from the GeoDB now and then: logins must not wait for five reads.
 * While the GeoDB is silent, the last map stays.
 */
import { describeError } from '../../../platform/describe-error.ts';
import type { Log } from './log.ts';
import type { BackendRow, ForceMoveRow, Geodb, SiteRow } from './geodb.ts';

export interface ClusterMap {
  readonly sites: readonly SiteRow[];
  readonly backends: readonly BackendRow[];
  readonly forceMoves: readonly ForceMoveRow[];
  /** Ids of Backends that must get no new users. */
  readonly closedBackends: ReadonlySet<string>;
  readonly readAtMs: number;
}

export interface ClusterMapReader {
  /** The last map; empty until the GeoDB was read once. */
  current(): ClusterMap;
  /** Reads again, now; throws what the GeoDB throws. */
  refresh(): Promise<ClusterMap>;
  backendByHost(host: string): BackendRow | undefined;
  backendById(id: string): BackendRow | undefined;
  /** The site that this host belongs to. */
  ownSite(): SiteRow | undefined;
  stop(): void;
}

const EMPTY_MAP: ClusterMap = {
  sites: [],
  backends: [],
  forceMoves: [],
  closedBackends: new Set(),
  readAtMs: 0,
};

/** After a failure. */
const RETRY_MS = 1000;

export interface ClusterMapOptions {
  readonly geodb: Geodb;
  readonly site: string;
  readonly refreshMs: number;
  /** What was known before this process began; null: nothing. */
  readonly former?: ClusterMap | null;
  readonly log: Log;
}

/** Starts reading at once, and goes on until stopped. */
export function startClusterMap(options: ClusterMapOptions): ClusterMapReader {
  const { geodb, site, refreshMs, log } = options;
  let map: ClusterMap = options.former ?? EMPTY_MAP;
  let isFailing = false;
  let isStopped = false;
  const refresh = async () => {
    map = await readMap(geodb);
    if (isFailing) log.info('the geodb answers again');
    isFailing = false;
    return map;
  };
  const tick = async () => {
    await refresh().catch((error: unknown) => {
      if (!isFailing) log.warn('the geodb is silent', { error: describeError(error) });
      isFailing = true;
    });
    if (!isStopped) timer = setTimeout(() => void tick(), isFailing ? RETRY_MS : refreshMs);
  };
  let timer = setTimeout(() => void tick(), 0);
  return {
    current: () => map,
    refresh,
    backendByHost: (host) => map.backends.find((backend) => backend.host === host),
    backendById: (id) => map.backends.find((backend) => backend.id === id),
    ownSite: () => map.sites.find(({ name }) => name === site),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

async function readMap(geodb: Geodb): Promise<ClusterMap> {
  const [sites, backends, forceMoves, closedBackends] = await Promise.all([
    geodb.readSites(),
    geodb.readBackends(),
    geodb.readForceMoves(),
    geodb.readClosedBackends(),
  ]);
  return { sites, backends, forceMoves, closedBackends, readAtMs: Date.now() };
}
