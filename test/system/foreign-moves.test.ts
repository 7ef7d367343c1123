/**
 * Moves that somebody else began, in a real worker over a real GeoDB: seen and counted, left alone while
 * they have time or automation has to wait, and in the end finished or given up, each user once.
 */
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTemporalClient } from '../../platform/temporal.ts';
import { moverIdOf, taskIdOf } from '../../workflows/contract.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';
import {
  openControllerRig,
  type ControllerRig,
  type RunningProcess,
} from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { playBackend } from '../support/played-backend.ts';
import { startRawDoveadm, type RawDoveadm } from '../support/raw-doveadm.ts';

const USERS = 4;
const STUCK_SECS = 6;
/** `silent` has no doveadm at all; `watched` is under DryRun; `target` takes whoever comes. */
const SOURCES = ['answers', 'silent', 'watched', 'hopeless', 'given-up'];
const BACKENDS = [...SOURCES, 'target', 'closed'];
const LONG = { timeoutMs: 120_000, intervalMs: 250 };

let rig: ControllerRig;
let worker: RunningProcess;
const servers: RawDoveadm[] = [];

const usersOf = (host: string): string[] =>
  Array.from({ length: USERS }, (_, index) => `${host}-user${index + 1}`);

/** As the cluster service of a Backend does it, with a clock of its own. */
async function beginMoves(host: string, targetHost: string): Promise<void> {
  const cql = 'UPDATE {geodb}.users SET alt_backend_id = ?, moving = ? WHERE username = ?';
  const targetId = rig.backendId(targetHost);
  await Promise.all(usersOf(host).map((user) => rig.cql(cql, [targetId, 'by-somebody', user])));
}

async function countForeign(host: string): Promise<number> {
  const scan = await rig.store.readForeignMoveScan(rig.siteName);
  return scan?.sources.find(({ sourceId }) => sourceId === rig.backendId(host))?.users ?? 0;
}

/** Homes of a source's users, with how many of them are still moving. */
async function look(host: string): Promise<{ homes: Set<string>; moving: number }> {
  const homes = [...(await rig.geodb.readUsers(usersOf(host))).values()];
  return {
    homes: new Set(homes.map(({ backendId }) => rig.hostOf(backendId))),
    moving: homes.filter(({ isMoving }) => isMoving).length,
  };
}

async function operationsOf(host: string) {
  const { operations } = await rig.store.listOperations(rig.siteName, { limit: 100 });
  return operations.filter(({ sourceHost }) => sourceHost === host);
}

/** Of `check_user_moves`, oldest first. */
async function decisionsOf(host: string) {
  const { siteName, store } = rig;
  const { decisions } = await store.readDecisions({
    siteName,
    host,
    task: 'check_user_moves',
    limit: 50,
  });
  return decisions.toReversed();
}

async function ledgerOf(host: string): Promise<LedgerRow[]> {
  const operations = await operationsOf(host);
  const pages = operations.map(({ operationId }) =>
    rig.store.pageLedger(operationId, { limit: 100, cursor: null }),
  );
  return (await Promise.all(pages)).flatMap(({ rows }) => rows);
}

beforeAll(async () => {
  rig = await openControllerRig({
    octet: 13,
    backends: BACKENDS.map((name, index) => {
      return { name, byte: index + 1, users: SOURCES.includes(name) ? USERS : 0 };
    }),
    settings: {
      FOREIGN_MOVE_STUCK_SECS: String(STUCK_SECS),
      USER_MOVE_STUCK_SECS: '2',
      // without metrics it would find itself blind, and say so
      CHECK_BACKEND_HEALTH_INTERVAL_SECS: '86400',
    },
  });
  for (const [index, host] of BACKENDS.entries()) {
    if (host === 'silent') continue;
    const endpoint = { host: rig.at(index + 1), port: 24_280 };
    servers.push(await startRawDoveadm(endpoint, (call) => playBackend(rig, host, call)));
  }
  await rig.cql('UPDATE {geodb}.backends SET status = ? WHERE id = ?', [
    'offline',
    rig.backendId('closed'),
  ]);
  await rig.geodb.writeFeature({
    level: 'backend',
    targetId: rig.backendId('watched'),
    feature: 'BackendHealthAutoHandling',
    state: 'dryRun',
  });
  await rig.store.saveAutomation({
    siteName: rig.siteName,
    state: 'paused',
    setBy: 'ann',
    reason: 'first look only',
    setAtMs: Date.now(),
    untilMs: null,
  });
  for (const host of ['answers', 'silent', 'watched', 'given-up']) await beginMoves(host, 'target');
  await beginMoves('hopeless', 'closed');
  worker = rig.start('worker/main.ts');
}, 120_000);

afterAll(async () => {
  await rig.close();
  for (const server of servers) await server.close();
}, 60_000);

describe('moves that somebody else began', () => {
  it('are counted by source, and left alone while automation is paused, however old', async () => {
    await eventually(
      'all are seen',
      async () => (await Promise.all(SOURCES.map(countForeign))).every((users) => users === USERS),
      LONG,
    );
    const known = await rig.store.readForeignMoves(rig.siteName);
    const firstSeenMs = Math.min(...known.map((move) => move.firstSeenAtMs));
    await eventually('they are stuck', () => Date.now() - firstSeenMs > STUCK_SECS * 1000, LONG);
    const before = await rig.store.readForeignMoveScan(rig.siteName);
    const seenAgain = async () => {
      const scan = await rig.store.readForeignMoveScan(rig.siteName);
      return (scan?.scannedAtMs ?? 0) > (before?.scannedAtMs ?? 0);
    };
    await eventually('they are looked at again', seenAgain, LONG);
    expect(await rig.store.readForeignMoves(rig.siteName)).toEqual(known);
    expect((await rig.store.listOperations(rig.siteName, { limit: 10 })).operations).toEqual([]);
    await eventually(
      'why is on record',
      async () =>
        (await decisionsOf('answers')).some(({ reason }) => reason === 'AutomationPaused'),
      LONG,
    );
  });

  it('that end by themselves are forgotten', async () => {
    const ended = 'UPDATE {geodb}.users SET moving = null WHERE username = ?';
    await Promise.all(usersOf('given-up').map((user) => rig.cql(ended, [user])));
    await eventually('they are gone', async () => (await countForeign('given-up')) === 0, LONG);
  });

  it('are finished when they are stuck: home and ledger say so, and nobody is counted any more', async () => {
    await rig.store.saveAutomation({
      siteName: rig.siteName,
      state: 'running',
      setBy: 'ann',
      reason: 'go',
      setAtMs: Date.now(),
      untilMs: null,
    });
    for (const host of ['answers', 'silent']) {
      await eventually(
        `${host} is empty`,
        async () => (await look(host)).homes.has('target'),
        LONG,
      );
      await eventually(
        `${host} has ended`,
        async () => (await operationsOf(host))[0]?.state === 'done',
        LONG,
      );
      expect(await look(host)).toEqual({ homes: new Set(['target']), moving: 0 });
      const operations = await operationsOf(host);
      expect(operations).toHaveLength(1);
      expect(operations[0]).toMatchObject({
        kind: 'finishMoves',
        cause: 'foreign',
        reason: host === 'silent' ? 'SourceSilent' : 'MoveStuck',
        counts: { planned: USERS, confirmed: USERS, remaining: 0 },
        forced: USERS,
      });
      const decided = (await decisionsOf(host)).find(({ kind }) => kind === 'finishMoves');
      expect(decided).toMatchObject({ backendId: rig.backendId(host), numbers: { users: USERS } });
      expect(operations[0]?.decisionId).toBe(decided?.decisionId);
      const ledger = await ledgerOf(host);
      expect(ledger.map((row) => row.username).sort()).toEqual(usersOf(host));
      await eventually('nobody is counted', async () => (await countForeign(host)) === 0, LONG);
    }
  });

  it('are given up where their target may take nobody: the home stays', async () => {
    await eventually('given up', async () => (await look('hopeless')).moving === 0, LONG);
    expect(await look('hopeless')).toEqual({ homes: new Set(['hopeless']), moving: 0 });
    await eventually(
      'the ledger says so',
      async () => {
        const ledger = await ledgerOf('hopeless');
        return ledger.length === USERS && ledger.every(({ reason }) => reason === 'MoveCleared');
      },
      LONG,
    );
  });

  it('are never touched under DryRun, and go on being shown', async () => {
    expect(await look('watched')).toEqual({ homes: new Set(['watched']), moving: USERS });
    expect(await operationsOf('watched')).toEqual([]);
    expect(await countForeign('watched')).toBe(USERS);
    expect(await decisionsOf('watched')).toMatchObject([
      { kind: 'nothing', reason: 'AutomationPaused' },
      { kind: 'finishMoves', isDryRun: true },
    ]);
  });

  it('have left no name in any history or log', async () => {
    expect(worker.logged('-user')).toEqual([]);
    expect(worker.errors()).toBe('');
    const { client, close } = createTemporalClient(rig.config.temporal);
    const ids = [
      moverIdOf(rig.siteName, 'answers'),
      moverIdOf(rig.siteName, 'hopeless'),
      taskIdOf(rig.siteName, 'check_user_moves'),
    ];
    for (const id of ids) {
      const history = historyToJSON(await client.workflow.getHandle(id).fetchHistory());
      const payloads = [...history.matchAll(/"data": ?"([^"]*)"/g)].map(([, data = '']) =>
        Buffer.from(data, 'base64').toString('utf8'),
      );
      expect(payloads.length).toBeGreaterThan(0);
      expect(payloads.filter((text) => text.includes('-user'))).toEqual([]);
    }
    await close();
  });

  it('takes back the note of a chunk that a thawed worker wrote after the end of its operation', async () => {
    const [ended] = await operationsOf('answers');
    const note = {
      siteName: rig.siteName,
      sourceId: rig.backendId('answers'),
      targetId: rig.backendId('target'),
      chunk: 7,
      remaining: 26,
      attempts: 1,
      sentAtMs: Date.now(),
    };
    expect(ended?.endedAtMs).not.toBeNull();
    await rig.store.saveChunkInFlight({ ...note, operationId: ended?.operationId ?? '' });
    const isGone = async (): Promise<boolean> => {
      const notes = await rig.store.readChunksInFlight(rig.siteName);
      return !notes.some(({ chunk }) => chunk === note.chunk);
    };
    expect(await isGone()).toBe(false);
    await eventually('the note is gone', isGone, LONG);
  });
});
