/**
 * DryRun decides, records and touches nothing: seen by recorders before doveadm and CQL, which first see
 * what the same processes do with the flag Enabled, and again afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureState } from '../../workflows/domain/feature-flag.ts';
import type { DecisionKind, RecordedDecision } from '../../workflows/domain/decision.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import { eventually } from '../support/eventually.ts';
import { openRecordedSite, type RecordedSite } from '../support/recorded-site.ts';
import { replayStored } from './replay-decisions.ts';

const BACKENDS = ['mail1', 'mail2', 'mail3', 'mail4'];
const USERS = 30;
const LONG = { timeoutMs: 150_000, intervalMs: 250 };

let site: RecordedSite;
let rig: RecordedSite['rig'];

const setHealthHandling = (state: FeatureState): Promise<void> =>
  rig.geodb.writeFeature({
    level: 'site',
    targetId: rig.siteId,
    feature: 'BackendHealthAutoHandling',
    state,
  });

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
  const backends = BACKENDS.map((name) => ({ name, users: USERS }));
  site = await openRecordedSite({ octet: 7, metricsByte: 101, backends });
  rig = site.rig;
}, 240_000);
afterAll(() => site.close(), 60_000);

describe('DryRun', () => {
  it('Enabled: the recorders see an evacuation move users and write to the GeoDB', async () => {
    site.failing.add('mail1');
    const decision = await eventually(
      'an evacuation of mail1 is decided',
      () => findDecision('evacuate', 'mail1', false),
      LONG,
    );
    await eventually('mail1 is offline', async () => (await statusOf('mail1')) === 'offline', LONG);
    expect(decision).toMatchObject({ reason: 'FailureRateCritical', isDryRun: false });
    expect(await countHomes('mail1')).toBe(0);

    const moves = site.calls().filter(({ command }) => command === 'clusterUserBatchMove');
    const moved = moves.flatMap(({ parameters }) => parameters['user'] as string[]);
    expect(new Set(moved).size).toBe(USERS);
    const update = site.calls().find(({ command }) => command === 'clusterBackendUpdate');
    expect(update?.parameters).toEqual({ host: 'mail1', status: 'offline' });
    const written = site.geodbWrites().map((write) => write.cql);
    expect(written.some((text) => text.includes('cluster_settings'))).toBe(true);
    expect(written).not.toContain('?');
    // Writes of each kind pass by, those to our own keyspace included.
    const kinds = new Set(site.cql.writes().map((write) => write.how));
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
    site.forget();
    const before = { homes: await rig.homes(), backends: await rig.geodb.readBackends() };
    site.failing.delete('mail1');
    site.failing.add('mail2');

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
    expect(site.commands()).toEqual(['GET']);
    expect(site.geodbWrites()).toEqual([]);
    expect(site.cql.writes().length).toBeGreaterThan(0);
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
    expect(site.commands()).toContain('clusterUserBatchMove');
    expect(site.geodbWrites().length).toBeGreaterThan(0);
  });
});

it('every decision of this run comes out the same when it is made again', async () => {
  const { total, others } = await replayStored(rig.store, rig.siteName);
  expect(others).toEqual([]);
  expect(total).toBeGreaterThan(0);
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
