import { randomUUID } from 'node:crypto';
import { monotonicFactory } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { createControllerStore } from '../../gateways/controller-store/cassandra-store.ts';
import type { ControllerStore } from '../../gateways/controller-store/controller-store.ts';
import { migrate } from '../../gateways/controller-store/migrate.ts';
import type { ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import { cql, dropAndClose, failureOf, logger, openSession, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const { keyspace, localDataCenter } = config.cassandra;
const nowMs = Date.now();
let session: CassandraSession;
let store: ControllerStore;

beforeAll(async () => {
  session = openSession(config);
  await migrate(session, logger, { keyspace, localDataCenter });
  store = createControllerStore(session, keyspace);
});

afterAll(async () => {
  await dropAndClose(session, keyspace);
});

describe('controller store: migrations', () => {
  it('are applied once, whoever starts at the same time', async () => {
    const fresh = rigConfig().cassandra.keyspace;
    const sessions = [openSession(config), openSession(config), openSession(config)];
    await Promise.all(
      sessions.map((one) => migrate(one, logger, { keyspace: fresh, localDataCenter })),
    );
    const versions = cql(fresh, 'schema_migrations', 'SELECT version FROM {ks}.schema_migrations');
    const rows = await session.read('test', versions, []);
    expect(rows.map((row) => row['version']).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const locks = cql(fresh, 'schema_lock', 'SELECT name FROM {ks}.schema_lock');
    expect(await session.read('test', locks, [])).toEqual([]);
    await session.executeSchema('test', `DROP KEYSPACE ${fresh}`);
    await Promise.all(sessions.map((one) => one.close()));
  });

  it('add what a newer release needs and keep what is there', async () => {
    const fresh = rigConfig().cassandra.keyspace;
    const step = (version: number) => ({
      version,
      name: `step ${version}`,
      cql: [`CREATE TABLE IF NOT EXISTS {ks}.t${version} (id int PRIMARY KEY)`],
    });
    await migrate(session, logger, { keyspace: fresh, localDataCenter, migrations: [step(1)] });
    const insert = cql(fresh, 't1', 'INSERT INTO {ks}.t1 (id) VALUES (?)');
    await session.write('test', insert, [7]);
    const newer = [step(1), step(2)];
    await migrate(session, logger, { keyspace: fresh, localDataCenter, migrations: newer });
    const read = cql(fresh, 't1', 'SELECT id FROM {ks}.t1');
    expect(await session.readOne('test', read, [])).toMatchObject({ id: 7 });
    const readNew = cql(fresh, 't2', 'SELECT id FROM {ks}.t2');
    expect(await session.read('test', readNew, [])).toEqual([]);
    await session.executeSchema('test', `DROP KEYSPACE ${fresh}`);
  });

  it('name the table that is missing before them', async () => {
    const error = await failureOf(createControllerStore(session, 'nowhere').readTaskRuns('north'));
    expect(error).toMatchObject({ code: 'MissingTable', subject: 'task_runs' });
  });
});

describe('controller store: snapshots', () => {
  const snapshot = {
    takenAtMs: nowMs,
    siteName: 'north',
    backends: [],
  } as unknown as ClusterSnapshot;
  const lifeOf = async (snapshotId: string): Promise<number> => {
    const text = 'SELECT TTL(body) AS life FROM {ks}.snapshots WHERE snapshot_id = ?';
    const row = await session.readOne('test', cql(keyspace, 'snapshots', text), [snapshotId]);
    return Number(row?.['life']);
  };

  it('come back as they were, under the hash of their content', async () => {
    const snapshotId = await store.saveSnapshot(snapshot, { keep: false });
    expect(snapshotId).toMatch(/^[0-9a-f]{64}$/);
    expect(await store.readSnapshot(snapshotId)).toEqual(snapshot);
    const { takenAtMs, ...rest } = snapshot;
    const otherOrder = { ...rest, takenAtMs } as ClusterSnapshot;
    expect(await store.saveSnapshot(otherOrder, { keep: false })).toBe(snapshotId);
    const later = { ...snapshot, takenAtMs: nowMs + 1 };
    expect(await store.saveSnapshot(later, { keep: false })).not.toBe(snapshotId);
    expect(await store.readSnapshot('0'.repeat(64))).toBeNull();
  });

  it('live for 7 days, or for 90 where something followed; the longer life wins', async () => {
    const snapshotId = await store.saveSnapshot(snapshot, { keep: false });
    expect(await lifeOf(snapshotId)).toBeLessThanOrEqual(7 * 86_400);
    await store.saveSnapshot(snapshot, { keep: true });
    await store.saveSnapshot(snapshot, { keep: false });
    expect(await lifeOf(snapshotId)).toBeGreaterThan(89 * 86_400);
  });

  it('of 500 Backends are stored in a few kilobytes', async () => {
    const backends = Array.from({ length: 500 }, (_, index) => ({
      id: randomUUID(),
      host: `mail${index}.example.com`,
      attempts: [{ windowSecs: 10, logins: { succeeded: index, failed: 1 } }],
    }));
    const big = { ...snapshot, backends } as unknown as ClusterSnapshot;
    const snapshotId = await store.saveSnapshot(big, { keep: false });
    expect(await store.readSnapshot(snapshotId)).toEqual(big);
  });
});

describe('controller store: decisions', () => {
  const dayMs = 86_400_000;
  const next = monotonicFactory();

  function decision(atMs: number, more: Partial<RecordedDecision> = {}): RecordedDecision {
    return {
      decisionId: next(atMs),
      siteName: 'north',
      snapshotId: 'abc',
      recordedAtMs: atMs,
      repeats: 1,
      lastRepeatedAtMs: atMs,
      task: 'check_backend_health',
      kind: 'nothing',
      reason: 'Healthy',
      hosts: ['mail1'],
      backendId: null,
      operationId: null,
      isDryRun: false,
      numbers: { failureRatio: 0.25 },
      limitingSetting: null,
      detail: null,
      ...more,
    };
  }

  const all: RecordedDecision[] = [];

  beforeAll(async () => {
    for (let day = 3; day >= 0; day--) {
      for (let index = 0; index < 5; index++) {
        const atMs = nowMs - day * dayMs + index;
        all.unshift(decision(atMs, index === 2 ? { kind: 'evacuate', hosts: ['mail2'] } : {}));
      }
      const other = { task: 'rebalance_sites', hosts: ['mail1', 'mail2'] } as const;
      all.unshift(decision(nowMs - day * dayMs + 9, other));
    }
    await store.saveDecisions(all);
    await store.saveDecisions([decision(nowMs, { siteName: 'south' })]);
  });

  it('come newest first, over several days', async () => {
    const page = await store.readDecisions({ siteName: 'north', limit: 100 });
    expect(page).toEqual({ decisions: all, cursor: null });
  });

  it('are paged by a cursor', async () => {
    const seen: RecordedDecision[] = [];
    let cursor: string | null = null;
    do {
      const page = await store.readDecisions({ siteName: 'north', limit: 7, cursor });
      seen.push(...page.decisions);
      cursor = page.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(all);
  });

  it('are found by task, by Backend and by kind', async () => {
    const find = async (query: object): Promise<RecordedDecision[]> => [
      ...(await store.readDecisions({ siteName: 'north', limit: 50, ...query })).decisions,
    ];
    expect(await find({ task: 'rebalance_sites' })).toEqual(
      all.filter(({ task }) => task === 'rebalance_sites'),
    );
    expect(await find({ host: 'mail2' })).toEqual(
      all.filter(({ hosts }) => hosts.includes('mail2')),
    );
    expect(await find({ host: 'mail2', task: 'rebalance_sites' })).toHaveLength(4);
    expect(await find({ kind: 'evacuate' })).toEqual(all.filter(({ kind }) => kind === 'evacuate'));
    expect(await find({ host: 'mail9' })).toEqual([]);
  });

  it('pages by Backend and kind without losing or doubling one', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = { siteName: 'north', host: 'mail1', kind: 'nothing', limit: 3, cursor };
      const page = await store.readDecisions(query);
      seen.push(...page.decisions.map(({ decisionId }) => decisionId));
      cursor = page.cursor;
    } while (cursor !== null);
    const wanted = all.filter(({ hosts, kind }) => hosts.includes('mail1') && kind === 'nothing');
    expect(seen).toEqual(wanted.map(({ decisionId }) => decisionId));
  });

  it('are read by id', async () => {
    const [one] = all;
    expect(await store.readDecision('north', one?.decisionId ?? '')).toEqual(one);
    expect(await store.readDecision('south', one?.decisionId ?? '')).toBeNull();
    expect(await store.readDecision('north', 'no such id')).toBeNull();
  });

  it('are overwritten by their repeats, and not by an older write that comes late', async () => {
    const first = decision(nowMs + 50, { siteName: 'repeats' });
    const second = { ...first, repeats: 2, lastRepeatedAtMs: nowMs + 60 };
    await store.saveDecisions([first]);
    await store.saveDecisions([second]);
    await store.saveDecisions([first]);
    const page = await store.readDecisions({ siteName: 'repeats', limit: 5 });
    expect(page.decisions).toEqual([second]);
  });

  it('refuse an id that is none', async () => {
    const bad = decision(nowMs, { decisionId: 'x' });
    expect(await failureOf(store.saveDecisions([bad]))).toMatchObject({ code: 'InvalidArgument' });
    const query = { siteName: 'north', limit: 5, cursor: 'x' };
    expect(await failureOf(store.readDecisions(query))).toMatchObject({ code: 'InvalidArgument' });
  });

  it('keep the last "nothing" ones of each task', async () => {
    expect(await store.readLastNothings('north', 'rebalance_sites')).toEqual([]);
    const nothings = all.slice(0, 2);
    await store.saveLastNothings('north', 'rebalance_sites', nothings);
    expect(await store.readLastNothings('north', 'rebalance_sites')).toEqual(nothings);
    await store.saveLastNothings('north', 'rebalance_sites', []);
    expect(await store.readLastNothings('north', 'rebalance_sites')).toEqual([]);
  });
});
