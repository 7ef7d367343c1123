/** Writes down every second what the GeoDB and the controller's own tables say, straight from Cassandra. */
import type { RawFeatureRow } from '../../gateways/geodb/geodb.ts';
import { ACCEPT_NEW_USERS } from '../../gateways/geodb/names.ts';
import { labId } from '../../lab/mail/seed-geodb.ts';
import {
  FEATURE_STATES,
  type Feature,
  type FeatureState,
} from '../../workflows/domain/feature-flag.ts';
import { isEnded, type Operation } from '../../workflows/domain/operation.ts';
import type { ClusterLook, Look, SeenChange, SiteLook } from './record.ts';
import { hostNames, SITES } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';

export interface Watch {
  readonly looks: readonly Look[];
  readonly changes: readonly SeenChange[];
  stop(): Promise<void>;
}

const INTERVAL_MS = 1_000;
const PATIENCE_MS = 8_000;

/** Starts at once; one look at a time. */
export function startWatch(rig: SoakRig): Watch {
  const looks: Look[] = [];
  const homes = followHomes();
  const open = new Map<string, Operation[]>(SITES.map((site) => [site, []]));
  let isStopped = false;
  const look = async (): Promise<void> => {
    const fromMs = Date.now();
    const [cluster, ...sites] = await Promise.all([
      inTime(readUsers(rig)),
      ...SITES.map((site) => inTime(readSite(rig, site, open.get(site) ?? []))),
    ]);
    const untilMs = Date.now();
    if (cluster !== null) homes.see(fromMs, untilMs, cluster.homes);
    for (const each of sites) if (each !== null) open.set(each.site, stillOpen(each.operations));
    looks.push({ fromMs, untilMs, cluster: cluster?.look ?? null, sites });
  };
  const run = (async () => {
    while (!isStopped) {
      const nextMs = Date.now() + INTERVAL_MS;
      await look();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, nextMs - Date.now())));
    }
  })();
  return {
    looks,
    changes: homes.changes,
    stop: async () => {
      isStopped = true;
      await run;
    },
  };
}

const stillOpen = (operations: readonly Operation[]): Operation[] =>
  operations.filter(({ state }) => !isEnded(state));

function followHomes() {
  const last = new Map<string, { host: string; atMs: number }>();
  const changes: SeenChange[] = [];
  const see = (fromMs: number, untilMs: number, homes: ReadonlyMap<string, string>): void => {
    for (const [user, to] of homes) {
      const former = last.get(user);
      if (former !== undefined && former.host !== to) {
        const { host: from, atMs: afterMs } = former;
        changes.push({ user, from, to, afterMs, beforeMs: untilMs });
      }
      last.set(user, { host: to, atMs: fromMs });
    }
  };
  return { changes, see };
}

async function readUsers(rig: SoakRig): Promise<{ look: ClusterLook; homes: Map<string, string> }> {
  const { geodb, hosts } = rig;
  const { keyspace } = rig.settings.geodb;
  const backends = await geodb.execute(
    `SELECT host, status, load_factor FROM ${keyspace}.backends`,
  );
  const homes = new Map<string, string>();
  const users = new Map<string, number>();
  const moving = new Map<string, number>();
  const query = `SELECT username, backend_id, moving FROM ${keyspace}.users`;
  for await (const row of await geodb.execute(query)) {
    const id = String(row['backend_id']);
    const host = hosts.get(id) ?? id;
    homes.set(String(row['username']), host);
    users.set(host, (users.get(host) ?? 0) + 1);
    if (row['moving'] !== null) moving.set(host, (moving.get(host) ?? 0) + 1);
  }
  const look = {
    totalUsers: homes.size,
    users,
    moving,
    statuses: new Map(backends.rows.map((row) => [String(row['host']), String(row['status'])])),
    loadFactors: new Map(
      backends.rows.map((row) => [String(row['host']), Number(row['load_factor'])]),
    ),
  };
  return { look, homes };
}

/** Operations that were open at the last look are read once more after their end. */
async function readSite(
  { direct, hosts }: SoakRig,
  site: string,
  before: readonly Operation[],
): Promise<SiteLook> {
  const { store, geodb } = direct;
  const [automation, memories, rows, nowOpen, inFlight] = await Promise.all([
    store.readAutomation(site),
    store.readBackendMemories(site),
    geodb.readFeatureRows(),
    store.listOpenOperations(site),
    store.readChunksInFlight(site),
  ]);
  const gone = before.filter(
    (each) => !nowOpen.some((one) => one.operationId === each.operationId),
  );
  const ended = await Promise.all(gone.map((each) => store.readOperation(each.operationId)));
  const isOver = automation?.untilMs != null && automation.untilMs <= Date.now();
  return {
    site,
    automation: automation?.state === 'paused' && !isOver ? 'paused' : 'running',
    verdicts: new Map(
      memories.map(({ backendId, verdict }) => [hosts.get(backendId) ?? backendId, verdict]),
    ),
    healthFeature: featureStates('BackendHealthAutoHandling', site, rows ?? []),
    balanceFeature: featureStates('BackendLoadBalancing', site, rows ?? []),
    operations: [...nowOpen, ...ended.filter((each) => each !== null)],
    inFlight,
  };
}

/** The most restrictive of the levels that are set; without any, disabled. */
function featureStates(
  feature: Feature,
  site: string,
  rows: readonly RawFeatureRow[],
): Map<string, FeatureState> {
  const stateAt = (wanted: Feature, host: string): FeatureState => {
    const set = rows.filter(
      ({ feature: of, level, targetId }) =>
        of === wanted && (level === 'global' || targetId === labId(level === 'site' ? site : host)),
    );
    const worst = set.map(({ state }) => FEATURE_STATES.indexOf(state));
    return set.length === 0 ? 'disabled' : (FEATURE_STATES[Math.min(...worst)] ?? 'disabled');
  };
  return new Map(
    hostNames(site, 'backend').map((host) => {
      const isExporting = stateAt('MetricsExport', host) !== 'disabled';
      return [host, isExporting ? stateAt(feature, host) : 'disabled'];
    }),
  );
}

/** Backends that new users get no home on. */
export async function readClosedBackends({ geodb, settings, hosts }: SoakRig): Promise<string[]> {
  const { rows } = await geodb.execute(
    `SELECT target, name, value FROM ${settings.geodb.keyspace}.cluster_settings`,
  );
  const { name, refusing } = ACCEPT_NEW_USERS;
  return rows
    .filter((row) => row['name'] === name && row['value'] === refusing)
    .map((row) => hosts.get(String(row['target'])) ?? String(row['target']));
}

/** Null: it failed, or took too long. */
async function inTime<T>(answer: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, null);
  });
  return Promise.race([answer.catch(() => null), late]).finally(() => {
    clearTimeout(timer);
  });
}
