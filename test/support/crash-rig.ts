/**
 * Sites whose doveadm is played, with workers whose movers halt at a given side effect and workers that
 * go on after them. Stores and Temporal are real; every home change is noted.
 */
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDoveadm } from '../../gateways/doveadm/http-doveadm.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createWorker } from '../../worker/create-worker.ts';
import { moverIdOf } from '../../workflows/contract.ts';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';
import { openControllerRig, type ControllerRig, type RunningProcess } from './controller-rig.ts';
import {
  COMMAND_LISTS,
  errorAnswer,
  okAnswer,
  startRawDoveadm,
  type RawDoveadm,
  type DoveadmCall,
  type Reply,
} from './raw-doveadm.ts';
import {
  noteForcedHomes,
  type CrashPoint,
  type SeenHomeChange,
  type SideEffect,
} from './side-effects.ts';

const OCTET = 12;
const DOVEADM_PORT = 24_280;
const PROXY = 'proxy';
const NOBODY_TO_KICK = 68;
const REFUSED = 75;

export interface SiteOptions {
  /** Of each source. */
  readonly users: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** No host of the site changes a status: the controller has to do that itself. */
  readonly refusesStatus?: boolean;
  readonly hasSessions?: boolean;
  /** Batch moves are by count: the source chooses the users. */
  readonly takesNoList?: boolean;
  /** Somebody else has begun to move them: the first to a target, the others to nowhere. */
  readonly areMoving?: boolean;
  /** Told before a source carries out its first batch move. */
  readonly onFirstBatch?: (sourceHost: string) => Promise<void>;
}

/** One source Backend with its users, and the two targets that are its own. */
export interface CrashSource {
  readonly moverId: string;
  readonly sourceHost: string;
  readonly sourceId: string;
  readonly targetIds: readonly string[];
  readonly usernames: readonly string[];
}

export interface CrashSite {
  readonly name: string;
  readonly sources: readonly CrashSource[];
  /** A worker of its own process; a mover with a point halts there for good. */
  startWorker(points: ReadonlyMap<CrashSource, CrashPoint>): RunningProcess;
  /** One that goes on, in this process; answers how to end it. */
  startSurvivor(): Promise<() => Promise<void>>;
  /** Of the worker processes so far, by mover. */
  sideEffects(source: CrashSource): readonly SideEffect[];
  isHalted(source: CrashSource): boolean;
  homeChanges(): readonly SeenHomeChange[];
}

export interface CrashRig {
  readonly rig: ControllerRig;
  addSite(sources: number, options: SiteOptions): Promise<CrashSite>;
  close(): Promise<void>;
}

/** What the played hosts of a site share. */
interface PlayedSite extends SiteOptions {
  readonly batchesSeen: Set<string>;
  readonly changes: SeenHomeChange[];
  readonly sessions: Set<string>;
}

export async function openCrashRig(): Promise<CrashRig> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  const rig = await openControllerRig({ octet: OCTET, backends: [] });
  for (const feature of ['MetricsExport', 'BackendHealthAutoHandling'] as const) {
    const flag = { level: 'global', targetId: GLOBAL_TARGET, feature, state: 'enabled' } as const;
    await rig.geodb.writeFeature(flag);
  }
  const connection = await NativeConnection.connect({ address: rig.config.temporal.address });
  const logs = mkdtempSync(join(process.env['DK_TEST_STATE'] ?? tmpdir(), 'crash-'));
  const sites = new Map<string, PlayedSite>();
  const listen = (byte: number, list: 'whole' | 'counting'): Promise<RawDoveadm> =>
    startRawDoveadm({ host: rig.at(byte), port: DOVEADM_PORT }, createPlayer(rig, sites, list));
  const servers = [await listen(1, 'whole'), await listen(2, 'counting')];
  return {
    rig,
    addSite: (sources, options) => addSite({ rig, connection, logs, sites }, sources, options),
    close: async () => {
      await rig.close();
      await Promise.all(servers.map((server) => server.close()));
      await connection.close();
    },
  };
}

interface Parts {
  readonly rig: ControllerRig;
  readonly connection: NativeConnection;
  readonly logs: string;
  readonly sites: Map<string, PlayedSite>;
}

async function addSite(
  { rig, connection, logs, sites }: Parts,
  count: number,
  options: SiteOptions,
): Promise<CrashSite> {
  const name = `crash-${randomUUID().slice(0, 8)}`;
  const sources = Array.from({ length: count }, (_, index): CrashSource => {
    const sourceHost = `${name}-source${index}`;
    const usernames = Array.from(
      { length: options.users },
      (_each, user) => `${sourceHost}-user${user}`,
    );
    return {
      moverId: moverIdOf(name, sourceHost),
      sourceHost,
      sourceId: randomUUID(),
      targetIds: [randomUUID(), randomUUID()],
      usernames,
    };
  });
  const hosts = await insertSite(rig, name, sources, options);
  const sessions = new Set(
    options.hasSessions === true ? sources.flatMap(({ usernames }) => usernames) : [],
  );
  const played: PlayedSite = { ...options, batchesSeen: new Set(), changes: [], sessions };
  sites.set(name, played);
  const log = join(logs, `${name}.ndjson`);
  const logged = followLog(log);
  const settings = {
    CLUSTER_SITE: name,
    PROXY_HOSTS: PROXY,
    HOST_ADDRESSES: [...hosts, PROXY]
      .map((host) => `${host}=${rig.at(options.takesNoList === true ? 2 : 1)}`)
      .join(','),
    ...options.settings,
  };
  return {
    name,
    sources,
    startWorker: (points) => {
      const byMover = Object.fromEntries(
        [...points].map(([{ moverId }, point]) => [moverId, point]),
      );
      const more = { DK_CRASH_POINTS: JSON.stringify(byMover), DK_CRASH_LOG: log };
      return rig.start('test/support/crash-worker.ts', { ...settings, ...more });
    },
    startSurvivor: () => startSurvivor(rig, connection, settings, played.changes),
    sideEffects: ({ moverId }) =>
      logged().flatMap(({ effect }) => {
        if (effect?.mover !== moverId) return [];
        const { kind, detail, nth } = effect;
        return [{ kind, detail, nth }];
      }),
    isHalted: ({ moverId }) => logged().some(({ halted }) => halted === moverId),
    homeChanges: () => [
      ...played.changes,
      ...logged().flatMap(({ change }) => (change === undefined ? [] : [change])),
    ],
  };
}

/** Answers the names of its hosts. */
async function insertSite(
  rig: ControllerRig,
  name: string,
  sources: readonly CrashSource[],
  { areMoving }: SiteOptions,
): Promise<string[]> {
  const siteId = randomUUID();
  const site = [siteId, name, 'online'];
  await rig.cql('INSERT INTO {geodb}.sites (id, name, status) VALUES (?, ?, ?)', site);
  const hosts = sources.flatMap(({ sourceHost, sourceId, targetIds }) => [
    { host: sourceHost, id: sourceId },
    ...targetIds.map((id, index) => ({ host: `${sourceHost}-target${index}`, id })),
  ]);
  const backend =
    'INSERT INTO {geodb}.backends (id, site_id, host, status, load_factor) VALUES (?, ?, ?, ?, 100)';
  for (const { host, id } of hosts) await rig.cql(backend, [id, siteId, host, 'online']);
  const user = 'INSERT INTO {geodb}.users (username, backend_id) VALUES (?, ?)';
  const moving =
    "UPDATE {geodb}.users SET moving = 'somebody', alt_backend_id = ? WHERE username = ?";
  for (const { usernames, sourceId, targetIds } of sources) {
    await Promise.all(usernames.map((username) => rig.cql(user, [username, sourceId])));
    for (const [index, username] of areMoving === true ? usernames.entries() : []) {
      await rig.cql(moving, [index === 0 ? targetIds[0] : randomUUID(), username]);
    }
  }
  return hosts.map(({ host }) => host);
}

/** Shares the stores of the rig: only what depends on the site is its own. */
async function startSurvivor(
  rig: ControllerRig,
  connection: NativeConnection,
  settings: Readonly<Record<string, string>>,
  changes: SeenHomeChange[],
): Promise<() => Promise<void>> {
  const config = rig.configWith(settings);
  const logger = createLogger({ level: 'silent', role: 'test' });
  const metrics = createMetrics({ isDefaultIncluded: false });
  const doveadm = createDoveadm(config.doveadm, metrics);
  const gateways = noteForcedHomes({ ...rig, doveadm }, (change) => changes.push(change));
  const worker = await createWorker({ ...gateways, config, logger, metrics }, connection);
  const ended = worker.run();
  return async () => {
    worker.shutdown();
    // What it had still to end is over, one way or the other: nobody asks for it any more.
    await ended.catch(() => undefined);
  };
}

/** One doveadm for all hosts of all sites: users and hosts bear the name of their site. */
function createPlayer(
  rig: ControllerRig,
  sites: ReadonlyMap<string, PlayedSite>,
  list: 'whole' | 'counting',
) {
  const siteOf = (name: string): PlayedSite | undefined =>
    sites.get(name.split('-').slice(0, 2).join('-'));
  const moving = new Map<string, Promise<void>>();
  /** One move of a user at a time, as on a Backend: the second sees what the first has done. */
  const moveInTurn = (user: string, work: () => Promise<void>): Promise<void> => {
    const turn = (moving.get(user) ?? Promise.resolve()).then(work);
    moving.set(user, turn);
    return turn;
  };
  const batchMove = async ({ parameters }: DoveadmCall): Promise<void> => {
    const sourceHost = String(parameters['destHost']).replace(/-target\d+$/, '');
    const site = siteOf(sourceHost);
    if (site === undefined) throw new Error('a batch move off nobody that is known');
    if (!site.batchesSeen.has(sourceHost)) {
      site.batchesSeen.add(sourceHost);
      await site.onFirstBatch?.(sourceHost);
    }
    const backends = await rig.geodb.readBackends();
    const idOf = (wanted: unknown): string =>
      backends.find(({ host }) => host === wanted)?.id ?? '';
    const to = idOf(parameters['destHost']);
    const limit = Number(parameters['maxUsers'] ?? 1);
    const page = await rig.geodb.pageUsers(idOf(sourceHost), { limit, cursor: null });
    const chosen = page.users.map(({ username }) => username);
    const users = (parameters['user'] as string[] | undefined) ?? chosen;
    const timestampMicros = Number(parameters['moveTimestamp'] ?? Date.now() * 1000) + 1;
    const moved = users.map((user) =>
      moveInTurn(user, () => moveUser(rig, site, { user, to, timestampMicros })),
    );
    await Promise.all(moved);
  };
  const updateStatus = async ({ parameters, tag }: DoveadmCall): Promise<Reply> => {
    const host = String(parameters['host']);
    if (siteOf(host)?.refusesStatus === true) return errorAnswer(tag, 'exitCode', REFUSED);
    const backends = await rig.geodb.readBackends();
    const id = backends.find((backend) => backend.host === host)?.id;
    await rig.cql('UPDATE {geodb}.backends SET status = ? WHERE id = ?', [
      parameters['status'],
      id,
    ]);
    return okAnswer(tag);
  };
  const loggedIn = (): string[] => [...sites.values()].flatMap(({ sessions }) => [...sessions]);
  return async (call: DoveadmCall): Promise<Reply> => {
    const { method, command, parameters, tag } = call;
    if (method === 'GET') return COMMAND_LISTS[list];
    switch (command) {
      case 'clusterUserBatchMove':
        await batchMove(call);
        return okAnswer(tag);
      case 'clusterBackendUpdate':
        return updateStatus(call);
      case 'who':
      case 'proxyList':
        return okAnswer(
          tag,
          loggedIn().map((username) => ({ username, 'dest-ip': rig.at(1) })),
        );
      case 'kick':
      case 'proxyKick': {
        const [user = ''] = (parameters['mask'] ?? parameters['user']) as string[];
        const isEnded = siteOf(user)?.sessions.delete(user) === true;
        return isEnded ? okAnswer(tag) : errorAnswer(tag, 'exitCode', NOBODY_TO_KICK);
      }
      default:
        return errorAnswer(tag, 'unknownMethod', 0);
    }
  };
}

/** As a Backend does: whoever does not live here any more, or was moved later, is left alone. */
async function moveUser(
  rig: ControllerRig,
  site: PlayedSite,
  move: { readonly user: string; readonly to: string; readonly timestampMicros: number },
): Promise<void> {
  const { user, to, timestampMicros } = move;
  const home = await rig.geodb.readUser(user);
  if (home === null || home.backendId === to || home.homeWrittenAtMicros >= timestampMicros) return;
  const { backendId: from } = home;
  await rig.geodb.forceHomes([{ username: user, targetId: to, sourceId: from, timestampMicros }]);
  site.changes.push({ user, from, to });
  site.sessions.delete(user);
}

interface LoggedLine {
  readonly effect?: SideEffect & { readonly mover: string };
  readonly halted?: string;
  readonly change?: SeenHomeChange;
}

/** Reads on where it ended: it is asked all the time. */
function followLog(file: string): () => readonly LoggedLine[] {
  const lines: LoggedLine[] = [];
  let seen = 0;
  return () => {
    if (!existsSync(file)) return lines;
    const text = readFileSync(file, 'utf8');
    const end = text.lastIndexOf('\n') + 1;
    const fresh = text.slice(seen, end).split('\n').filter(Boolean);
    lines.push(...fresh.map((line) => JSON.parse(line) as LoggedLine));
    seen = end;
    return lines;
  };
}
