/** A site of its own for tests of whole processes: keyspaces, Backends and users, and the environment of a worker. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { hashSecret, newSecret } from '../../api/auth.ts';
import type { Role } from '../../gateways/controller-store/accounts.ts';
import { initControllerStore } from '../../gateways/controller-store/init.ts';
import { createGateways, type Gateways } from '../../gateways/create-gateways.ts';
import { CassandraSession, type Row } from '../../gateways/cassandra-session.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import { readConfig, type Config } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createTemporalClient } from '../../platform/temporal.ts';
import { moverIdOf, TASK_WORKFLOWS, taskIdOf } from '../../workflows/contract.ts';
import type { TaskName } from '../../workflows/domain/decision.ts';
import { testNet } from './test-net.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface RigHost {
  readonly name: string;
  /** Last byte of its address. */
  readonly byte: number;
  readonly users: number;
}

export interface RigOptions {
  /** Third byte of every address of this rig: 127.<net>.<octet>.*. */
  readonly octet: number;
  readonly backends: readonly RigHost[];
  readonly proxies?: readonly Omit<RigHost, 'users'>[];
  /** Over those of the rig, for each process. */
  readonly settings?: Readonly<Record<string, string>>;
  /** False: the GeoDB has every table but `users`. */
  readonly hasUsers?: boolean;
}

export interface RunningProcess {
  readonly ended: Promise<number | null>;
  isRunning(): boolean;
  /** Log lines that contain every one of the words. */
  logged(...words: readonly string[]): readonly string[];
  errors(): string;
  kill(): void;
}

export interface ControllerRig extends Gateways {
  readonly config: Config;
  /** The settings of a process that is started with `more`. */
  configWith(more: Readonly<Record<string, string>>): Config;
  readonly siteName: string;
  readonly siteId: string;
  readonly infra: string;
  at(byte: number): string;
  backendId(host: string): string;
  hostOf(backendId: string): string;
  /** `{geodb}` stands for the keyspace. Straight to Cassandra: no recorder sees it. */
  cql(text: string, params?: readonly unknown[]): Promise<void>;
  /** `{geodb}` and `{store}` stand for the keyspaces. */
  read(text: string, params?: readonly unknown[]): Promise<readonly Row[]>;
  addUsers(host: string): Promise<void>;
  createUsersTable(): Promise<void>;
  /** Hosts by user. */
  homes(): Promise<Record<string, string>>;
  start(file: string, more?: Readonly<Record<string, string>>): RunningProcess;
  issueToken(role: Role): Promise<string>;
}

const USERS_TABLE =
  'CREATE TABLE {geodb}.users (username text PRIMARY KEY, backend_id uuid, ' +
  'alt_backend_id uuid, moving text, last_moved timestamp)';

export async function openControllerRig(options: RigOptions): Promise<ControllerRig> {
  const run = randomUUID().slice(0, 8);
  const infra = `127.${testNet()}.0.1`;
  const at = (byte: number): string => `127.${testNet()}.${options.octet}.${byte}`;
  const environment = environmentOf(options, { run, infra, at });
  const config = readConfig(environment);
  const logger = createLogger({ level: 'silent', role: 'test' });
  const metrics = createMetrics({ isDefaultIncluded: false });
  await Promise.all([initGeodb(config, logger), initControllerStore(config, logger)]);
  const session = new CassandraSession(config.cassandra, logger, metrics);
  const gateways = createGateways(config, logger, metrics);
  const ids = new Map(options.backends.map(({ name }) => [name, randomUUID() as string]));
  const siteId = randomUUID();
  const cql = async (text: string, params: readonly unknown[] = []): Promise<void> => {
    const keyspace = config.cassandra.geodbKeyspace;
    const whole = text.replaceAll('{geodb}', keyspace);
    if (params.length === 0) await session.executeSchema('test', whole);
    else await session.write('test', { keyspace, table: 'any', cql: whole }, params);
  };
  const processes: RunningProcess[] = [];
  const rig: ControllerRig = {
    ...gateways,
    config,
    configWith: (more) => readConfig({ ...environment, ...more }),
    siteName: config.site,
    siteId,
    infra,
    at,
    backendId: (host) => ids.get(host) ?? '',
    hostOf: (id) => [...ids].find((entry) => entry[1] === id)?.[0] ?? id,
    cql,
    read: (text, params = []) => {
      const { geodbKeyspace, keyspace } = config.cassandra;
      const whole = text.replaceAll('{geodb}', geodbKeyspace).replaceAll('{store}', keyspace);
      return session.read('test', { keyspace, table: 'any', cql: whole }, params);
    },
    addUsers: async (host) => {
      const users = options.backends.find(({ name }) => name === host)?.users ?? 0;
      const names = Array.from({ length: users }, (_, index) => `${host}-user${index + 1}`);
      const insert = 'INSERT INTO {geodb}.users (username, backend_id) VALUES (?, ?)';
      await Promise.all(names.map((name) => cql(insert, [name, ids.get(host)])));
    },
    createUsersTable: () => cql(USERS_TABLE),
    homes: async () => {
      const rows = await rig.read('SELECT username, backend_id FROM {geodb}.users');
      const entries = rows.map((row) => [row['username'], rig.hostOf(String(row['backend_id']))]);
      return Object.fromEntries(entries.sort()) as Record<string, string>;
    },
    start: (file, more = {}) => {
      const child = startProcess(file, { ...environment, ...more });
      processes.push(child);
      return child;
    },
    issueToken: (role) => issueToken(gateways, role),
    close: async () => {
      for (const child of processes) child.kill();
      await Promise.all(processes.map(({ ended }) => ended));
      await endWorkflows(config, [...ids.keys()]);
      const { geodbKeyspace, keyspace } = config.cassandra;
      for (const one of [geodbKeyspace, keyspace]) await cql(`DROP KEYSPACE IF EXISTS ${one}`);
      await Promise.all([session.close(), gateways.close()]);
    },
  };
  await seed(rig, options);
  return rig;
}

async function seed(rig: ControllerRig, options: RigOptions): Promise<void> {
  const insertSite = 'INSERT INTO {geodb}.sites (id, name, status) VALUES (?, ?, ?)';
  await rig.cql(insertSite, [rig.siteId, rig.siteName, 'online']);
  const insertBackend =
    'INSERT INTO {geodb}.backends (id, site_id, host, status, load_factor) VALUES (?, ?, ?, ?, 100)';
  for (const { name } of options.backends) {
    await rig.cql(insertBackend, [rig.backendId(name), rig.siteId, name, 'online']);
  }
  for (const feature of ['MetricsExport', 'BackendHealthAutoHandling'] as const) {
    const flag = { level: 'site', targetId: rig.siteId, feature, state: 'enabled' } as const;
    await rig.geodb.writeFeature(flag);
  }
  if (options.hasUsers === false) await rig.cql('DROP TABLE {geodb}.users');
  else await Promise.all(options.backends.map(({ name }) => rig.addUsers(name)));
}

/** Windows and intervals as short as they can be: a test only waits for them. */
function environmentOf(
  { backends, proxies = [], settings }: RigOptions,
  { run, infra, at }: { run: string; infra: string; at: (byte: number) => string },
): Record<string, string> {
  return {
    CLUSTER_SITE: `site-${run}`,
    CASSANDRA_SERVERS: `${infra}:9042`,
    CASSANDRA_LOCAL_DC: 'datacenter1',
    CASSANDRA_GEODB_KEYSPACE: `rig_geodb_${run}`,
    CASSANDRA_KEYSPACE: `rig_store_${run}`,
    REDIS_URL: `redis://${infra}:6379`,
    PROMETHEUS_URL: `http://${infra}:9090`,
    TEMPORAL_ADDRESS: `127.0.0.1:${21_000 + Number(testNet())}`,
    DOVEADM_API_KEY: 'labapikey',
    PROXY_HOSTS: proxies.map(({ name }) => name).join(','),
    HOST_ADDRESSES: [...backends, ...proxies]
      .map(({ name, byte }) => `${name}=${at(byte)}`)
      .join(','),
    HTTP_LISTEN: `${at(250)}:8080`,
    METRICS_LISTEN: `${at(250)}:9464`,
    WORKFLOW_BUNDLE: process.env['DK_TEST_WORKFLOW_BUNDLE'] ?? '',
    HOST_FAILURE_CRITICAL_WINDOW_SECS: '4',
    HOST_FAILURE_WINDOW_SECS: '8',
    HOST_FAILURE_MIN_LOGINS: '10',
    HOST_RECOVERY_WINDOW_SECS: '5',
    HOST_RECOVERY_MAX_HOLD_SECS: '5',
    USER_MOVE_STUCK_SECS: '1',
    USER_MOVE_MAX_RETRIES: '1',
    CACHE_METRICS_INTERVAL_SECS: '1',
    CHECK_USER_MOVES_INTERVAL_SECS: '1',
    CHECK_BACKEND_HEALTH_INTERVAL_SECS: '2',
    ...settings,
  };
}

function startProcess(file: string, environment: Record<string, string>): RunningProcess {
  const child = spawn(process.execPath, [file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  });
  let out = '';
  let errors = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  return {
    ended: once(child, 'close').then(([code]) => code as number | null),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    logged: (...words) =>
      out.split('\n').filter((line) => words.every((word) => line.includes(word))),
    errors: () => errors,
    kill: () => void child.kill('SIGKILL'),
  };
}

async function issueToken({ accounts }: Gateways, role: Role): Promise<string> {
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
}

/** What a worker left at Temporal would otherwise go on for ever without one. */
async function endWorkflows(config: Config, hosts: readonly string[]): Promise<void> {
  const temporal = createTemporalClient(config.temporal);
  const { schedule, workflow } = temporal.client;
  const tasks = Object.keys(TASK_WORKFLOWS).map((task) => taskIdOf(config.site, task as TaskName));
  const movers = hosts.map((host) => moverIdOf(config.site, host));
  await Promise.allSettled(tasks.map((id) => schedule.getHandle(id).delete()));
  const ended = [...tasks, ...movers].map((id) => workflow.getHandle(id).terminate());
  await Promise.allSettled(ended);
  await temporal.close();
}
