/** The API over a real Cassandra with keyspaces of its own; movers, metrics and Redis are played. */
import { randomBytes } from 'node:crypto';
import { createApp, type App } from '../../api/app.ts';
import { hashSecret, newSecret } from '../../api/auth.ts';
import { isScheduled } from '../../api/task-view.ts';
import type { Dependencies } from '../../api/dependencies.ts';
import type { LiveEvent } from '../../gateways/cache/cache.ts';
import { CassandraSession } from '../../gateways/cassandra-session.ts';
import type { Role } from '../../gateways/controller-store/accounts.ts';
import { createAccounts } from '../../gateways/controller-store/cassandra-accounts.ts';
import { createControllerStore } from '../../gateways/controller-store/cassandra-store.ts';
import { initControllerStore } from '../../gateways/controller-store/init.ts';
import { createGeodb } from '../../gateways/geodb/cassandra-geodb.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import type { TaskState, Temporal } from '../../gateways/temporal/temporal.ts';
import { readConfig, type Config } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import type { MoveAnswer, MoveRequest } from '../../workflows/contract.ts';
import {
  newDecision,
  TASK_NAMES,
  type RecordedDecision,
  type TaskName,
} from '../../workflows/domain/decision.ts';
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import { testNet } from './test-net.ts';

export const ORIGIN = 'http://dovekeeper.test';
/** A name of its own for every test file: the controller store is shared between them. */
export const SITE = `north-${randomBytes(4).toString('hex')}`;
export const NORTH = '00000000-0000-4000-8000-000000000001';
export const SOUTH = '00000000-0000-4000-8000-000000000002';
export const backendIdOf = (number: number): string =>
  `00000000-0000-4000-8000-0000000001${number}0`;
/** north-mail1 to 4 are 1 to 4, south-mail1 is 5. */
export const HOSTS = ['north-mail1', 'north-mail2', 'north-mail3', 'north-mail4', 'south-mail1'];
export const USERS_ON_FIRST = 25;

/** What the played neighbours do, and what they were asked. */
export interface Played {
  moveAnswer: (request: MoveRequest) => MoveAnswer | Error;
  isMoverRunning: boolean;
  temporalError: Error | null;
  metrics: SiteMetrics | null;
  isRedisSilent: boolean;
  requests: MoveRequest[];
  controls: string[];
  /** Tasks that were asked for one by one, and `list` for each list of all. */
  taskReads: string[];
  listeners: Set<(event: LiveEvent) => void>;
}

export interface ApiWorld {
  readonly app: App;
  readonly config: Config;
  readonly dependencies: Dependencies;
  readonly played: Played;
  readonly tokens: Readonly<Record<Role, string>>;
  /** A request with the token of a role; null: with nothing. */
  ask(role: Role | null, method: string, path: string, body?: unknown): Promise<Response>;
  cql(text: string, params?: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
}

export interface ApiWorldOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Nothing is created and no token exists: for a Cassandra that is not there. */
  readonly isEmpty?: boolean;
  /** Instead of the whole GeoDB; then without users. */
  readonly initGeodb?: (config: Config, cql: ApiWorld['cql']) => Promise<void>;
  readonly change?: (dependencies: Dependencies) => Dependencies;
}

export async function createApiWorld(options: ApiWorldOptions = {}): Promise<ApiWorld> {
  const config = apiConfig(options.environment);
  const logger = createLogger({ level: 'silent', role: 'test' });
  const metrics = createMetrics({ isDefaultIncluded: false });
  const session = new CassandraSession(config.cassandra, logger, metrics);
  const played = createPlayed();
  const own: Dependencies = {
    config,
    logger,
    metrics,
    geodb: createGeodb(session, config.cassandra.geodbKeyspace),
    store: createControllerStore(session, config.cassandra.keyspace),
    accounts: createAccounts(session, config.cassandra.keyspace),
    ...playedNeighbours(played),
    now: Date.now,
  };
  const dependencies = options.change?.(own) ?? own;
  const cql = async (text: string, params: readonly unknown[] = []): Promise<void> => {
    const { geodbKeyspace: keyspace } = config.cassandra;
    const statement = { keyspace, table: 'any', cql: text.replaceAll('{geodb}', keyspace) };
    await session.write('test', statement, params);
  };
  if (options.isEmpty !== true) {
    await initControllerStore(config, logger);
    await (options.initGeodb ?? initWholeGeodb)(config, cql);
    await seed(cql, options.initGeodb === undefined);
  }
  const tokens = options.isEmpty === true ? NO_TOKENS : await issueTokens(own);
  const app = createApp(dependencies);
  return {
    app,
    config,
    dependencies,
    played,
    tokens,
    cql,
    ask: async (role, method, path, body) =>
      await app.http.request(`${ORIGIN}${path}`, {
        method,
        headers: {
          ...(role === null ? {} : { authorization: `Bearer ${tokens[role]}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    close: async () => {
      await app.close();
      await session.close();
    },
  };
}

/** Nothing runs, nobody is asked, all flags unset, all Backends online: for the next test. */
export async function resetWorld({ dependencies, played, cql }: ApiWorld): Promise<void> {
  const { listeners } = played;
  Object.assign(played, createPlayed(), { listeners });
  for (const siteName of [SITE, 'south']) {
    for (const operation of await dependencies.store.listOpenOperations(siteName)) {
      const endedAtMs = Date.now();
      await dependencies.store.saveOperation({ ...operation, state: 'done', endedAtMs });
    }
    await cql('DELETE FROM {geodb}.site_controller WHERE site = ?', [siteName]);
  }
  for (const index of HOSTS.keys()) {
    const row = [backendIdOf(index + 1)];
    await cql(`UPDATE {geodb}.backends SET status = 'online' WHERE id = ?`, row);
  }
  await cql('TRUNCATE {geodb}.cluster_settings');
}

const NO_TOKENS = { viewer: 'none', operator: 'none', admin: 'none' };

export function apiConfig(environment: Readonly<Record<string, string>> = {}): Config {
  const net = testNet();
  return readConfig({
    CLUSTER_SITE: SITE,
    CASSANDRA_SERVERS: `127.${net}.0.1:9042`,
    CASSANDRA_LOCAL_DC: 'datacenter1',
    CASSANDRA_GEODB_KEYSPACE: 'api_tests_geodb',
    CASSANDRA_KEYSPACE: 'api_tests',
    REDIS_URL: `redis://127.${net}.0.1:6379`,
    PROMETHEUS_URL: `http://127.${net}.0.1:9090`,
    TEMPORAL_ADDRESS: `127.0.0.1:${21_000 + Number(net)}`,
    PUBLIC_URL: ORIGIN,
    ...environment,
  });
}

const GEODB_TABLES = [
  'sites',
  'backends',
  'users',
  'site_reachability',
  'cluster_settings',
  'site_controller',
];

/** Emptied rather than created anew: creating tables is what takes time. */
async function initWholeGeodb(config: Config, cql: ApiWorld['cql']): Promise<void> {
  await initGeodb(config, createLogger({ level: 'silent', role: 'test' }));
  await Promise.all(GEODB_TABLES.map((table) => cql(`TRUNCATE {geodb}.${table}`)));
}

async function seed(cql: ApiWorld['cql'], hasUsers: boolean): Promise<void> {
  const sites = [
    [NORTH, SITE],
    [SOUTH, 'south'],
  ];
  for (const row of sites) {
    await cql(`INSERT INTO {geodb}.sites (id, name, status) VALUES (?, ?, 'online')`, row);
  }
  for (const [index, host] of HOSTS.entries()) {
    const row = [backendIdOf(index + 1), host.startsWith('north') ? NORTH : SOUTH, host];
    await cql(
      `INSERT INTO {geodb}.backends (id, site_id, host, status, load_factor)
         VALUES (?, ?, ?, 'online', 100)`,
      row,
    );
  }
  if (!hasUsers) return;
  for (let number = 1; number <= USERS_ON_FIRST; number += 1) {
    const row = [`user${number}@example.org`, backendIdOf(1)];
    await cql('INSERT INTO {geodb}.users (username, backend_id) VALUES (?, ?)', row);
  }
  await cql(
    `INSERT INTO {geodb}.users (username, backend_id, alt_backend_id, last_moved)
       VALUES ('moved@example.org', ?, ?, 1700000000000)`,
    [backendIdOf(2), backendIdOf(1)],
  );
}

async function issueTokens({ accounts }: Dependencies): Promise<Record<Role, string>> {
  const issue = async (role: Role): Promise<string> => {
    const token = newSecret('dk_');
    await accounts.saveToken({
      tokenId: `test-${role}`,
      secretHash: hashSecret(token),
      name: `test-${role}`,
      role,
      createdBy: 'test',
      createdAtMs: Date.now(),
      expiresAtMs: null,
    });
    return token;
  };
  return {
    viewer: await issue('viewer'),
    operator: await issue('operator'),
    admin: await issue('admin'),
  };
}

function createPlayed(): Played {
  return {
    moveAnswer: ({ operationId }) => ({ answer: 'accepted', operationId }),
    isMoverRunning: true,
    temporalError: null,
    metrics: null,
    isRedisSilent: false,
    requests: [],
    controls: [],
    taskReads: [],
    listeners: new Set(),
  };
}

function playedNeighbours(played: Played): Pick<Dependencies, 'temporal' | 'cache' | 'prometheus'> {
  return {
    temporal: playedTemporal(played),
    cache: {
      saveMetrics: () => Promise.resolve(true),
      readMetrics: () => Promise.resolve(played.isRedisSilent ? null : played.metrics),
      publish: (event) => {
        for (const listener of played.listeners) listener(event);
        return Promise.resolve(true);
      },
      subscribe: (_site, onEvent) => {
        played.listeners.add(onEvent);
        return Promise.resolve(() => {
          played.listeners.delete(onEvent);
          return Promise.resolve();
        });
      },
      ping: () => (played.isRedisSilent ? Promise.reject(new Error('silent')) : Promise.resolve()),
    },
    prometheus: {
      readSiteMetrics: () => Promise.resolve(played.metrics ?? BLIND),
      ping: () => Promise.resolve(),
    },
  };
}

const stateOf = (task: TaskName): TaskState => ({
  task,
  isPaused: false,
  pausedNote: null,
  nextRunAtMs: Date.now() + 1000,
});

function playedTemporal(played: Played): Temporal {
  const answer = <T>(value: T): Promise<T> =>
    played.temporalError === null ? Promise.resolve(value) : Promise.reject(played.temporalError);
  return {
    requestMoves: (request) => {
      played.requests.push(request);
      const result = played.moveAnswer(request);
      return result instanceof Error ? Promise.reject(result) : answer(result);
    },
    isMoverRunning: () => answer(played.isMoverRunning),
    control: (_site, host, verb, { reason }) => {
      played.controls.push(`${verb} ${host}: ${reason}`);
      return answer(played.isMoverRunning);
    },
    setSpeed: (_site, host, { speedPercent }) => {
      played.controls.push(`speed ${host}: ${speedPercent}`);
      return answer(played.isMoverRunning);
    },
    retarget: (_site, host, { targetIds, reason = '' }) => {
      played.controls.push(`retarget ${host} ${targetIds.join(' ')}: ${reason}`);
      return answer(played.isMoverRunning);
    },
    followUp: () => answer(true),
    runTask: (_site, task) => {
      played.controls.push(`run ${task}`);
      return answer(undefined);
    },
    pauseTask: (_site, task, note) => {
      played.controls.push(`pause ${task}: ${note}`);
      return answer(undefined);
    },
    resumeTask: (_site, task, note) => {
      played.controls.push(`resume ${task}: ${note}`);
      return answer(undefined);
    },
    readTask: (_site, task) => {
      played.taskReads.push(task);
      return answer(stateOf(task));
    },
    listTasks: () => {
      played.taskReads.push('list');
      return answer(TASK_NAMES.filter(isScheduled).map(stateOf));
    },
    readOwnerName: () => answer('test/default'),
    ping: () => answer(undefined),
  };
}

const BLIND: SiteMetrics = {
  takenAtMs: 0,
  view: {
    blindReason: 'PrometheusUnreachable',
    proxiesExpected: 2,
    proxiesSeen: 0,
    newestSampleMs: null,
    scrapeIntervalSecs: null,
  },
  attempts: {},
  load: {},
};

/** An operation that runs off north-mail1. */
export function runningOperation(fields: Partial<Operation> = {}): Operation {
  return {
    operationId: `01TEST${randomBytes(10).toString('hex').toUpperCase()}`,
    siteName: SITE,
    kind: 'evacuation',
    cause: 'health',
    sourceId: backendIdOf(1),
    sourceHost: 'north-mail1',
    targetIds: [],
    state: 'running',
    stateReason: null,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: null,
    originalCount: 100,
    round: 1,
    counts: { planned: 100, confirmed: 40, skipped: 5, failed: 1, remaining: 54 },
    stuck: 0,
    forced: 0,
    speedPercent: 100,
    createdAtMs: Date.now() - 20_000,
    startedAtMs: Date.now() - 20_000,
    firstConfirmedAtMs: Date.now() - 15_000,
    endedAtMs: null,
    updatedAtMs: Date.now(),
    ...fields,
  };
}

/** The problem document of an answer. */
export async function problemFrom(response: Response) {
  return (await response.json()) as {
    code: string;
    message: string;
    status: number;
    requestId: string;
    details?: { field: string; message: string }[];
    system?: string;
    operationId?: string;
    state?: string;
  };
}

/** A decision of five seconds ago, as the API reads it. */
export function recordedDecision(fields: Partial<RecordedDecision>): RecordedDecision {
  return {
    decisionId: '01K0000000000000000000000A',
    siteName: SITE,
    ...newDecision('check_backend_health', 'nothing', 'Healthy', { hosts: ['north-mail2'] }),
    snapshotId: 'gone',
    recordedAtMs: Date.now() - 5000,
    repeats: 1,
    lastRepeatedAtMs: Date.now() - 5000,
    ...fields,
  };
}
