/**
 * DryRun decides, records and touches nothing: seen by recorders before doveadm and CQL, which first see
 * what the same processes do with the flag Enabled, and again afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureState } from '../../workflows/domain/feature-flag.ts';
import type { DecisionKind, RecordedDecision } from '../../workflows/domain/decision.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import {
  startExporter,
  startPrometheus,
  type FakeExporter,
  type RunningPrometheus,
} from '../gateways/prometheus-rig.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';
import { startCqlRecorder, type CqlRecorder, type RecordedWrite } from '../support/cql-recorder.ts';
import { eventually } from '../support/eventually.ts';
import { playBackend } from '../support/played-backend.ts';
import {
  startDoveadmRecorder,
  startRawDoveadm,
  type DoveadmCall,
  type DoveadmRecorder,
  type RawDoveadm,
} from '../support/raw-doveadm.ts';

const BACKENDS = ['mail1', 'mail2', 'mail3', 'mail4'];
const PROXIES = ['proxy1', 'proxy2'];
const USERS = 30;
const DOVEADM_PORT = 24_280;
/** Where doveadm itself listens, behind its recorder. */
const BEHIND_PORT = 8090;
const LONG = { timeoutMs: 150_000, intervalMs: 250 };
const ATTEMPTS_A_TICK = 3;
const TICK_MS = 200;

let rig: ControllerRig;
let cql: CqlRecorder;
let prometheus: RunningPrometheus;
let traffic: NodeJS.Timeout;
const recorders: DoveadmRecorder[] = [];
const servers: RawDoveadm[] = [];
const exporters: FakeExporter[] = [];
const failing = new Set<string>();

/** What the proxies count: every Backend gets logins and deliveries, and some of them fail them. */
function countAttempts(): void {
  for (const exporter of exporters) {
    for (const host of BACKENDS) {
      const outcome = failing.has(host) ? 'failure' : 'success';
      for (const event of ['proxy_session', 'lmtp_rcpt_finished']) {
        exporter.count(`dovecot_${event}_${outcome}_total{dest_host="${host}"}`, ATTEMPTS_A_TICK);
      }
    }
  }
}

async function startMetrics(): Promise<void> {
  exporters.push(await startExporter(101, 9900), await startExporter(102, 9900));
  const targets = exporters.map((exporter, index) => ({
    exporter,
    labels: { site: rig.siteName, instance: PROXIES[index] ?? '' },
  }));
  prometheus = await startPrometheus([{ job: 'dovecot_proxy', targets }], { lastByte: 100 });
  traffic = setInterval(countAttempts, TICK_MS);
}

async function startDoveadm(name: string, byte: number): Promise<void> {
  const host = rig.at(byte);
  const behind = { host, port: BEHIND_PORT };
  servers.push(await startRawDoveadm(behind, (call) => playBackend(rig, name, call)));
  recorders.push(await startDoveadmRecorder({ host, port: DOVEADM_PORT }, behind));
}

const setHealthHandling = (state: FeatureState): Promise<void> =>
  rig.geodb.writeFeature({
    level: 'site',
    targetId: rig.siteId,
    feature: 'BackendHealthAutoHandling',
    state,
  });

const calls = (): DoveadmCall[] => recorders.flatMap((recorder) => [...recorder.calls()]);
const commands = (): string[] => [
  ...new Set(calls().map(({ method, command }) => command ?? method)),
];

/** Everything that is not clearly about our own keyspace counts as a write to the GeoDB. */
const geodbWrites = (): RecordedWrite[] =>
  cql.writes().filter((write) => !write.cql.includes(rig.config.cassandra.keyspace));

async function findDecision(
  kind: DecisionKind,
  host: string,
  isDryRun: boolean,
): Promise<RecordedDecision | undefined> {
  const { decisions } = await rig.store.readDecisions({ siteName: rig.siteName, host, limit: 50 });
  return decisions.find((one) => one.kind === kind && one.isDryRun === isDryRun);
}

const countHomes = async (host: string): Promise<number> =>
  Object.values(await rig.homes()).filter((home) => home === host).length;

const statusOf = async (host: string): Promise<string | undefined> =>
  (await rig.geodb.readBackend(rig.backendId(host)))?.status;

beforeAll(async () => {
  const backends = BACKENDS.map((name, index) => ({ name, byte: index + 1, users: USERS }));
  const proxies = PROXIES.map((name, index) => ({ name, byte: index + 11 }));
  rig = await openControllerRig({ octet: 7, backends, proxies });
  const cassandra = { host: rig.infra, port: 9042 };
  cql = await startCqlRecorder({ host: rig.at(200), port: 9042 }, cassandra);
  for (const { name, byte } of [...backends, ...proxies]) await startDoveadm(name, byte);
  await startMetrics();
  const recorded = { CASSANDRA_SERVERS: `${rig.at(200)}:9042`, PROMETHEUS_URL: prometheus.url };
  rig.start('worker/main.ts', recorded);
  rig.start('api/main.ts', recorded);
}, 240_000);

afterAll(async () => {
  clearInterval(traffic);
  await rig.close();
  await prometheus.stop();
  for (const part of [cql, ...recorders, ...servers, ...exporters]) await part.close();
}, 60_000);

describe('DryRun', () => {
  it('Enabled: the recorders see an evacuation move users and write to the GeoDB', async () => {
    failing.add('mail1');
    const decision = await eventually(
      'an evacuation of mail1 is decided',
      () => findDecision('evacuate', 'mail1', false),
      LONG,
    );
    await eventually('mail1 is offline', async () => (await statusOf('mail1')) === 'offline', LONG);
    expect(decision).toMatchObject({ reason: 'FailureRateCritical', isDryRun: false });
    expect(await countHomes('mail1')).toBe(0);

    const moves = calls().filter(({ command }) => command === 'clusterUserBatchMove');
    const moved = moves.flatMap(({ parameters }) => parameters['user'] as string[]);
    expect(new Set(moved).size).toBe(USERS);
    const update = calls().find(({ command }) => command === 'clusterBackendUpdate');
    expect(update?.parameters).toEqual({ host: 'mail1', status: 'offline' });
    const written = geodbWrites().map((write) => write.cql);
    expect(written.some((text) => text.includes('cluster_settings'))).toBe(true);
    expect(written).not.toContain('?');
    // Writes of each kind pass by, those to our own keyspace included.
    const kinds = new Set(cql.writes().map((write) => write.how));
    expect(kinds).toContain('execute');
  });

  it('DryRun: the same decisions are recorded, and nothing is touched', async () => {
    const done = await eventually('the evacuation is over', async () => {
      const { operations } = await rig.store.listOperations(rig.siteName, { limit: 10 });
      return operations.every(({ state }) => state === 'done') && operations;
    });
    await setHealthHandling('dryRun');
    // Whoever read the flag before has ended.
    await sleep(3000);
    for (const recorder of [cql, ...recorders]) recorder.forget();
    const before = { homes: await rig.homes(), backends: await rig.geodb.readBackends() };
    failing.delete('mail1');
    failing.add('mail2');

    const evacuation = await eventually(
      'an evacuation of mail2 is decided, again and again',
      async () => {
        const decision = await findDecision('evacuate', 'mail2', true);
        return decision !== undefined && decision.repeats >= 2 && decision;
      },
      LONG,
    );
    const back = await eventually(
      'the return of mail1 is decided',
      () => findDecision('setOnline', 'mail1', true),
      LONG,
    );
    await lookAround();

    expect(evacuation).toMatchObject({ reason: 'FailureRateCritical', hosts: ['mail2'] });
    for (const decision of [evacuation, back]) await expectSnapshot(decision);
    expect(commands()).toEqual(['GET']);
    expect(geodbWrites()).toEqual([]);
    expect(cql.writes().length).toBeGreaterThan(0);
    expect(await rig.homes()).toEqual(before.homes);
    expect(await rig.geodb.readBackends()).toEqual(before.backends);
    const { operations } = await rig.store.listOperations(rig.siteName, { limit: 10 });
    expect(operations).toEqual(done);
  });

  it('Enabled again: the same failing Backend is evacuated', async () => {
    await setHealthHandling('enabled');
    await eventually('mail2 is offline', async () => (await statusOf('mail2')) === 'offline', LONG);
    expect(await countHomes('mail2')).toBe(0);
    expect(await findDecision('evacuate', 'mail2', false)).toBeDefined();
    expect(commands()).toContain('clusterUserBatchMove');
    expect(geodbWrites().length).toBeGreaterThan(0);
  });
});

/** The decision can be made again from what was stored with it. */
async function expectSnapshot(decision: RecordedDecision): Promise<void> {
  const snapshot = await rig.store.readSnapshot(decision.snapshotId);
  expect(snapshot?.features.BackendHealthAutoHandling).toBe('dryRun');
  if (snapshot === null) return;
  const kept = 'SELECT TTL(body) AS secs FROM {store}.snapshots WHERE snapshot_id = ?';
  const [row] = await rig.read(kept, [decision.snapshotId]);
  expect(Number(row?.['secs'])).toBeGreaterThan(60 * 86_400);
  const { task, kind, reason, hosts, backendId, numbers, isDryRun } = decision;
  expect(decideBackendHealth(snapshot).decisions).toContainEqual(
    expect.objectContaining({ task, kind, reason, hosts, backendId, numbers, isDryRun }),
  );
}

/** People look and plan meanwhile: that touches nothing either. */
async function lookAround(): Promise<void> {
  const token = await rig.issueToken('operator');
  const ask = (path: string, body?: object): Promise<Response> =>
    fetch(`http://${rig.at(250)}:8080/api/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const paths = ['/overview', '/backends', '/backends/mail2', '/features', '/tasks', '/decisions'];
  for (const path of paths) expect((await ask(path)).status, path).toBe(200);
  const plan = await ask('/backends/mail2/evacuate', { dryRun: true, reason: 'to see' });
  expect(plan.status).toBe(200);
  expect(((await plan.json()) as { users: number }).users).toBeGreaterThanOrEqual(USERS);
  const decisions = await (await ask('/decisions')).text();
  expect(decisions).toContain('"isDryRun":true');
}
