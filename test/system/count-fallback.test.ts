/**
 * Sources whose batch move takes no list of users: they are told how many, choose by themselves, and the
 * ledger learns from the homes before and after who it was. A real worker over a real GeoDB.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MoveRequest } from '../../workflows/contract.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';
import {
  openControllerRig,
  type ControllerRig,
  type RunningProcess,
} from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { playBackend } from '../support/played-backend.ts';
import {
  COMMAND_LISTS,
  errorAnswer,
  okAnswer,
  startRawDoveadm,
  type DoveadmCall,
  type RawDoveadm,
  type Reply,
} from '../support/raw-doveadm.ts';
import { replayStored } from './replay-decisions.ts';

const USERS = 12;
const SOURCES = ['counts', 'empties', 'moves-fewer', 'refuses', 'dies'];
const TARGETS = ['good1', 'good2'];
const BACKENDS = [...SOURCES, ...TARGETS];
const LONG = { timeoutMs: 180_000, intervalMs: 250 };
const TEMPORARY_FAILURE = 75;

let rig: ControllerRig;
let worker: RunningProcess;
const servers: RawDoveadm[] = [];
/** How many were asked for, by source. */
const asked = new Map<string, number[]>();
let onMoved: ((host: string) => void) | null = null;

/** It takes the last ones that live there: nobody who pages from the first would guess them. */
async function moveLast(host: string, { parameters }: DoveadmCall, most: number): Promise<void> {
  const sourceId = rig.backendId(host);
  const wanted = Math.min(Number(parameters['maxUsers']), most);
  const { users } = await rig.geodb.pageUsers(sourceId, { limit: 1000, cursor: null });
  const targetId = rig.backendId(String(parameters['destHost']));
  const timestampMicros = Date.now() * 1000;
  const chosen = wanted === 0 ? [] : users.slice(-wanted);
  await rig.geodb.forceHomes(
    chosen.map(({ username }) => ({ username, targetId, sourceId, timestampMicros })),
  );
}

async function answer(host: string, call: DoveadmCall): Promise<Reply> {
  if (TARGETS.includes(host)) return playBackend(rig, host, call);
  if (call.method === 'GET') return COMMAND_LISTS.counting;
  if (call.command !== 'clusterUserBatchMove') return playBackend(rig, host, call);
  expect(call.parameters).not.toHaveProperty('user');
  asked.set(host, [...(asked.get(host) ?? []), Number(call.parameters['maxUsers'])]);
  if (host === 'refuses') return errorAnswer(call.tag, 'exitCode', TEMPORARY_FAILURE);
  const isFirst = asked.get(host)?.length === 1;
  const most = isFirst ? 2 : 0;
  await moveLast(host, call, host === 'moves-fewer' ? most : USERS);
  onMoved?.(host);
  return host === 'dies' ? 'silence' : okAnswer(call.tag);
}

async function move(host: string, fields: Partial<MoveRequest> = {}): Promise<Operation> {
  const operationId = crypto.randomUUID();
  const request: MoveRequest = {
    operationId,
    siteName: rig.siteName,
    kind: 'batchMove',
    cause: 'operator',
    sourceId: rig.backendId(host),
    sourceHost: host,
    targetIds: TARGETS.map(rig.backendId),
    maxUsers: 5,
    stepRatio: 1,
    minLastMovedSecs: null,
    endsOffline: false,
    isForced: false,
    requestedBy: 'ann',
    reason: 'test',
    decisionId: null,
    ...fields,
  };
  await eventually(
    'the mover answers',
    () => rig.temporal.requestMoves(request).catch(() => undefined),
    LONG,
  );
  return eventually(
    `the operation on ${host} has ended`,
    async () => {
      const operation = await rig.store.readOperation(operationId);
      return operation !== null && operation.endedAtMs !== null && operation;
    },
    LONG,
  );
}

async function ledgerOf({ operationId }: Operation): Promise<LedgerRow[]> {
  return (await rig.store.pageLedger(operationId, { limit: 100, cursor: null })).rows;
}

/** The ledger names exactly those who live elsewhere now, once, with the home that they have. */
async function expectNamed(host: string, operation: Operation): Promise<LedgerRow[]> {
  const ledger = await ledgerOf(operation);
  const homes = Object.entries(await rig.homes()).filter(([user]) => user.startsWith(`${host}-`));
  const moved = homes.filter(([, home]) => home !== host);
  const said = ledger.map((row) => [row.username, rig.hostOf(row.targetId)]).sort();
  expect(said).toEqual(moved.sort());
  const { planned, confirmed, skipped, failed, remaining } = operation.counts;
  expect([skipped, failed, remaining]).toEqual([0, 0, 0]);
  expect([planned, confirmed]).toEqual([ledger.length, ledger.length]);
  return ledger;
}

beforeAll(async () => {
  rig = await openControllerRig({
    octet: 14,
    backends: BACKENDS.map((name, index) => {
      return { name, byte: index + 1, users: SOURCES.includes(name) ? USERS : 0 };
    }),
    settings: { CHECK_BACKEND_HEALTH_INTERVAL_SECS: '86400' },
  });
  for (const [index, host] of BACKENDS.entries()) {
    const endpoint = { host: rig.at(index + 1), port: 24_280 };
    servers.push(await startRawDoveadm(endpoint, (call) => answer(host, call)));
  }
  worker = rig.start('worker/main.ts');
}, 120_000);

afterAll(async () => {
  await rig.close();
  for (const server of servers) await server.close();
}, 60_000);

describe('a source that takes no list of users', () => {
  it('moves as many as it is told, and the ledger says whom', async () => {
    const operation = await move('counts');
    const ledger = await expectNamed('counts', operation);
    expect(operation).toMatchObject({ state: 'done', originalCount: 5, forced: 0 });
    expect(ledger).toHaveLength(5);
    expect(ledger.map(({ reason }) => reason)).toEqual(Array(5).fill('CountFallback'));
    expect((asked.get('counts') ?? []).reduce((sum, users) => sum + users, 0)).toBe(5);
    const [user] = ledger;
    expect(await rig.store.readMovesOfUser(user?.username ?? '', 5)).toEqual([user]);
  });

  it('is emptied in rounds', async () => {
    const operation = await move('empties', { kind: 'evacuation', maxUsers: null, stepRatio: 0.5 });
    const ledger = await expectNamed('empties', operation);
    expect(operation).toMatchObject({ state: 'done', originalCount: USERS, forced: 0 });
    expect(ledger).toHaveLength(USERS);
    expect(new Set(ledger.map(({ reason }) => reason))).toEqual(new Set(['CountFallback']));
    expect(new Set(ledger.map(({ targetId }) => rig.hostOf(targetId)))).toEqual(new Set(TARGETS));
  });

  it('that moves fewer than it was told ends the operation with those', async () => {
    const operation = await move('moves-fewer', { targetIds: [rig.backendId('good1')] });
    expect(await expectNamed('moves-fewer', operation)).toHaveLength(2);
    expect(operation).toMatchObject({ state: 'done', originalCount: 5, forced: 0 });
  });

  it('that refuses to move anybody is asked again, and then overruled by name', async () => {
    const operation = await move('refuses', { targetIds: [rig.backendId('good1')] });
    const ledger = await expectNamed('refuses', operation);
    expect(operation).toMatchObject({ state: 'done', forced: 5 });
    expect(ledger.every(({ isForced, reason }) => isForced && reason === 'Forced')).toBe(true);
    expect(asked.get('refuses')).toEqual([5, 5]);
  });

  it('is not told twice because the worker died after it had moved them', async () => {
    let restarts = 0;
    onMoved = (host) => {
      if (host !== 'dies' || restarts > 0) return;
      restarts += 1;
      worker.kill();
      worker = rig.start('worker/main.ts');
    };
    const operation = await move('dies', { targetIds: [rig.backendId('good2')] });
    const ledger = await expectNamed('dies', operation);
    expect(restarts).toBe(1);
    expect(ledger).toHaveLength(5);
    expect(ledger.every(({ reason }) => reason === 'CountFallback')).toBe(true);
    expect(asked.get('dies')).toEqual([5]);
  });

  it('is not asked about named users: they are forced by name, and whoever has left is skipped', async () => {
    const homes = Object.entries(await rig.homes()).filter(([user]) => user.startsWith('counts-'));
    const usersAt = (isThere: boolean): string[] =>
      homes.filter(([, home]) => (home === 'counts') === isThere).map(([user]) => user);
    const [left = ''] = usersAt(false);
    const staying = usersAt(true).slice(0, 2);
    const selectionId = crypto.randomUUID();
    const targetId = rig.backendId('good2');
    await rig.store.saveSelectedUsers(
      selectionId,
      [...staying, left, 'nobody'].map((username) => ({ username, targetId })),
    );
    const before = asked.get('counts')?.length;
    const operation = await move('counts', { selectionId, targetIds: [targetId], maxUsers: 4 });
    const ledger = await ledgerOf(operation);
    const reasons = Object.fromEntries(ledger.map(({ username, reason }) => [username, reason]));
    const isThere = (await rig.geodb.readUser(left))?.backendId === targetId;
    expect(reasons).toEqual({
      ...Object.fromEntries(staying.map((user) => [user, 'Forced'])),
      [left]: isThere ? 'AlreadyOnTarget' : 'MovedElsewhere',
      nobody: 'UserGone',
    });
    expect(operation).toMatchObject({
      state: 'done',
      counts: { planned: 4, confirmed: 2, skipped: 2, failed: 0, remaining: 0 },
    });
    expect(asked.get('counts')?.length).toBe(before);
  });
});

it('every decision of this run comes out the same when it is made again', async () => {
  const { total, others } = await replayStored(rig.store, rig.siteName);
  expect(others).toEqual([]);
  expect(total).toBeGreaterThan(0);
});
