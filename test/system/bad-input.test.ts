/**
 * Bad settings end a process at once; everything else that is bad or away only makes it say so: the same
 * worker and API live through all of it, and work again when it is over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openControllerRig,
  type ControllerRig,
  type RunningProcess,
} from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { playBackend } from '../support/played-backend.ts';
import { startRawDoveadm, type RawDoveadm } from '../support/raw-doveadm.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { testNet } from '../support/test-net.ts';
import { replayStored } from './replay-decisions.ts';

const BACKENDS = [
  { name: 'mail1', byte: 1, users: 5 },
  { name: 'mail2', byte: 2, users: 5 },
];
const DOVEADM_PORT = 24_280;
const LONG = { timeoutMs: 150_000, intervalMs: 250 };

interface Neighbours {
  readonly cassandra: TcpProxy;
  readonly temporal: TcpProxy;
  readonly redis: TcpProxy;
  readonly prometheus: TcpProxy;
}

let rig: ControllerRig;
let neighbours: Neighbours;
let worker: RunningProcess;
let api: RunningProcess;
let token: string;
const servers: RawDoveadm[] = [];

/** All of them away until a test says otherwise. */
async function startNeighbours(): Promise<Neighbours> {
  const host = rig.infra;
  const start = (byte: number, port: number, target = { host, port }): Promise<TcpProxy> =>
    startTcpProxy({ host: rig.at(byte), port }, target, { isCut: true });
  const temporal = { host: '127.0.0.1', port: 21_000 + Number(testNet()) };
  return {
    cassandra: await start(201, 9042),
    temporal: await start(202, 7233, temporal),
    redis: await start(203, 6379),
    prometheus: await start(204, 9090),
  };
}

beforeAll(async () => {
  rig = await openControllerRig({ octet: 10, backends: BACKENDS, hasUsers: false });
  token = await rig.issueToken('operator');
  neighbours = await startNeighbours();
  for (const { name, byte } of BACKENDS) {
    const endpoint = { host: rig.at(byte), port: DOVEADM_PORT };
    servers.push(await startRawDoveadm(endpoint, (call) => playBackend(rig, name, call)));
  }
  const settings = {
    CASSANDRA_SERVERS: `${rig.at(201)}:9042`,
    TEMPORAL_ADDRESS: `${rig.at(202)}:7233`,
    REDIS_URL: `redis://${rig.at(203)}:6379`,
    PROMETHEUS_URL: `http://${rig.at(204)}:9090`,
  };
  worker = rig.start('worker/main.ts', settings);
  api = rig.start('api/main.ts', settings);
}, 240_000);

afterAll(async () => {
  await rig.close();
  for (const part of [...Object.values(neighbours), ...servers]) await part.close();
}, 60_000);

/** A body that is text is sent as it is. */
function ask(path: string, body?: object | string): Promise<Response> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  return fetch(`http://${rig.at(250)}:8080${path}`, {
    method: text === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(text === undefined ? {} : { body: text }),
  });
}

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

async function problemOf(path: string, body?: object | string): Promise<Problem> {
  const response = await ask(path, body);
  return (await response.json()) as Problem;
}

const isOk = async (url: string): Promise<boolean> =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );
const liveUrls = (): string[] => [
  `http://${rig.at(250)}:9464/health/live`,
  `http://${rig.at(250)}:8080/health/live`,
];

interface TaskView {
  readonly task: string;
  readonly lastSucceededAtMs: number | null;
  readonly lastError: string | null;
}

async function readHealthTask(): Promise<TaskView | undefined> {
  const response = await ask('/api/v1/tasks');
  if (!response.ok) return undefined;
  const { tasks } = (await response.json()) as { tasks: TaskView[] };
  return tasks.find(({ task }) => task === 'check_backend_health');
}

const untilSucceeded = (sinceMs: number): Promise<TaskView> =>
  eventually(
    'check_backend_health succeeds',
    async () => {
      const task = await readHealthTask();
      return task !== undefined && (task.lastSucceededAtMs ?? 0) > sinceMs && task;
    },
    LONG,
  );

describe('bad settings', () => {
  it.each(['worker/main.ts', 'api/main.ts'])('end %s at once, all of them named', async (file) => {
    const bad = rig.start(file, {
      HOST_FAILURE_RATIO: 'ten',
      CASSANDRA_PORT: '99999',
      REDIS_URL: 'localhost',
      CLUSTER_SITE: '',
    });
    expect(await bad.ended).toBe(1);
    expect(bad.errors()).toContain('HOST_FAILURE_RATIO must be a number from 0 to 1, but is "ten"');
    for (const name of ['CASSANDRA_PORT', 'REDIS_URL', 'CLUSTER_SITE']) {
      expect(bad.errors()).toContain(`${name} `);
    }
    expect(bad.errors()).not.toContain('    at ');
  });
});

describe('neighbours that are away at the start', () => {
  it('are waited for, and named', async () => {
    for (const url of liveUrls()) await eventually(`${url} answers`, () => isOk(url), LONG);
    expect(await problemOf('/api/v1/sites')).toMatchObject({
      status: 503,
      code: 'CassandraUnavailable',
    });
    const ready = await ask('/health/ready');
    expect(ready.status).toBe(503);
    const { dependencies } = (await ready.json()) as {
      dependencies: Record<string, { ok: boolean }>;
    };
    for (const name of Object.keys(neighbours)) expect(dependencies[name]?.ok, name).toBe(false);
    await eventually('the worker says what it waits for', () => {
      return worker.logged('not possible yet', 'migrate the controller store').length > 0;
    });
    expect([worker.isRunning(), api.isRunning()]).toEqual([true, true]);
  });

  it('Cassandra comes: reads work, what needs Temporal says so', async () => {
    await neighbours.cassandra.restore();
    await eventually('sites can be read', async () => (await ask('/api/v1/sites')).ok, LONG);
    const wish = { reason: 'test' };
    expect(await problemOf('/api/v1/tasks/check_backend_health/run', wish)).toMatchObject({
      status: 503,
      code: 'TemporalUnavailable',
    });
    await eventually(
      'the worker waits for Temporal',
      () => worker.logged('not possible yet', 'connect to Temporal').length > 0,
      LONG,
    );
  });

  it('Temporal comes: the worker runs, without Redis and Prometheus', async () => {
    await neighbours.temporal.restore();
    await eventually('the worker runs', () => worker.logged('worker runs').length > 0, LONG);
    expect([worker.isRunning(), api.isRunning()]).toEqual([true, true]);
  });
});

describe('a GeoDB without `users`', () => {
  it('fails the task by the name of the table, where people look', async () => {
    const task = await eventually(
      'check_backend_health has failed',
      async () => {
        const found = await readHealthTask();
        return found?.lastError != null && found;
      },
      LONG,
    );
    const table = `${rig.config.cassandra.geodbKeyspace}.users`;
    expect(task.lastError).toContain(`table ${table} does not exist`);
    expect(task.lastSucceededAtMs).toBeNull();
    expect(worker.logged('task failed', 'check_backend_health', table)).not.toEqual([]);
    for (const path of ['/api/v1/users/anybody', '/api/v1/backends/mail1/users']) {
      const problem = await problemOf(path);
      expect(problem, path).toMatchObject({ status: 503, code: 'TableMissing' });
      expect(problem.message).toContain('users');
    }
    const problem = await problemOf('/api/v1/backends/mail1/evacuate', { reason: 'test' });
    expect(problem).toMatchObject({ code: 'TableMissing' });
  });

  it('works again once the table is there, though blind without Prometheus', async () => {
    await rig.createUsersTable();
    await Promise.all(BACKENDS.map(({ name }) => rig.addUsers(name)));
    await untilSucceeded(Date.now());
    const users = await ask('/api/v1/backends/mail1/users');
    expect(users.status).toBe(200);
    const { decisions } = await rig.store.readDecisions({ siteName: rig.siteName, limit: 10 });
    expect(decisions.map(({ kind, reason, detail }) => [kind, reason, detail])).toContainEqual([
      'nothing',
      'Blind',
      'PrometheusUnreachable',
    ]);
  });
});

describe('a request that makes no sense', () => {
  const path = '/api/v1/backends/mail1/evacuate';
  it.each<[string, string, object | string, number, string, string]>([
    [
      'unknown Backend',
      '/api/v1/backends/mail99/evacuate',
      { reason: 'x' },
      404,
      'BackendUnknown',
      'mail99',
    ],
    ['half a body', path, '{"reason":', 400, 'MalformedJson', 'JSON'],
    ['no object', path, '"evacuate"', 422, 'ValidationFailed', ''],
    ['no reason', path, {}, 422, 'ValidationFailed', 'reason'],
    ['wrong type', path, { reason: 'x', dryRun: 'maybe' }, 422, 'ValidationFailed', 'dryRun'],
    ['no plan of ours', path, { reason: 'x', plan: 'made up' }, 422, 'ValidationFailed', 'plan'],
  ])('is refused by name: %s', async (_name, where, body, status, code, word) => {
    const response = await ask(where, body);
    const text = await response.text();
    expect(response.status, text).toBe(status);
    expect(JSON.parse(text)).toMatchObject({ code });
    expect(text).toContain(word);
    const { operations } = await rig.store.listOperations(rig.siteName, { limit: 10 });
    expect(operations).toEqual([]);
  });
});

describe('neighbours that die', () => {
  it('all of them: the processes live, and go on by themselves', async () => {
    await neighbours.redis.restore();
    await neighbours.prometheus.restore();
    await untilSucceeded(Date.now());
    for (const proxy of Object.values(neighbours)) await proxy.cut();
    await sleep(8000);
    for (const url of liveUrls()) expect(await isOk(url), url).toBe(true);
    expect(await problemOf('/api/v1/sites')).toMatchObject({ status: 503 });
    for (const proxy of Object.values(neighbours)) await proxy.restore();
    await untilSucceeded(Date.now());
    await eventually('the API is ready', async () => (await ask('/health/ready')).ok, LONG);
  });

  it('an evacuation that is asked for goes through', async () => {
    const response = await ask('/api/v1/backends/mail1/evacuate', { reason: 'test' });
    expect(response.status).toBe(202);
    const { operationId } = (await response.json()) as { operationId: string };
    const operation = await eventually(
      'it is done',
      async () => {
        const found = await rig.store.readOperation(operationId);
        return found !== null && found.endedAtMs !== null && found;
      },
      LONG,
    );
    expect(operation).toMatchObject({ state: 'done', counts: { confirmed: 5, remaining: 0 } });
    expect([worker.isRunning(), api.isRunning()]).toEqual([true, true]);
    expect([worker.errors(), api.errors()]).toEqual(['', '']);
  });
});

it('every decision of this run comes out the same when it is made again', async () => {
  const { total, others } = await replayStored(rig.store, rig.siteName);
  expect(others).toEqual([]);
  expect(total).toBeGreaterThan(0);
});
