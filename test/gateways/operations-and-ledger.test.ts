import { randomUUID } from 'node:crypto';
import { monotonicFactory, ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { createControllerStore } from '../../gateways/controller-store/cassandra-store.ts';
import type { ControllerStore } from '../../gateways/controller-store/controller-store.ts';
import { migrate } from '../../gateways/controller-store/migrate.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import { NO_MOVES, planRow } from '../../workflows/domain/user-move.ts';
import type { ChunkInFlight, LedgerRow } from '../../workflows/domain/user-move.ts';
import { dropAndClose, logger, openSession, rigConfig } from './gateway-rig.ts';

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

describe('controller store: operations', () => {
  const operation = (more: Partial<Operation> = {}): Operation => ({
    operationId: ulid(),
    siteName: 'north',
    kind: 'evacuation',
    cause: 'health',
    sourceId: randomUUID(),
    sourceHost: 'mail1',
    targetIds: [],
    state: 'running',
    stateReason: null,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: null,
    originalCount: 100,
    round: 1,
    counts: NO_MOVES,
    stuck: 0,
    forced: 0,
    speedPercent: 100,
    createdAtMs: nowMs,
    startedAtMs: nowMs,
    firstConfirmedAtMs: null,
    endedAtMs: null,
    updatedAtMs: nowMs,
    ...more,
  });

  it('are read, listed newest first, and listed as open until they end', async () => {
    const siteName = `site-${ulid()}`;
    const saved: Operation[] = [];
    const next = monotonicFactory();
    for (let index = 0; index < 5; index++) {
      const one = operation({ siteName, operationId: next() });
      await store.saveOperation(one);
      saved.unshift(one);
    }
    expect(await store.readOperation(saved[0]?.operationId ?? '')).toEqual(saved[0]);
    expect(await store.readOperation('unknown')).toBeNull();
    const first = await store.listOperations(siteName, { limit: 3 });
    expect(first.operations).toEqual(saved.slice(0, 3));
    const rest = await store.listOperations(siteName, { limit: 3, cursor: first.cursor });
    expect(rest).toEqual({ operations: saved.slice(3), cursor: null });
    expect(await store.listOpenOperations(siteName)).toHaveLength(5);
    const [newest] = saved;
    if (newest !== undefined) await store.saveOperation({ ...newest, state: 'done' });
    expect(await store.listOpenOperations(siteName)).toHaveLength(4);
  });

  it('keep the newer of two writes, whichever comes last', async () => {
    const one = operation();
    const newer = { ...one, round: 3, updatedAtMs: nowMs + 10 };
    await store.saveOperation(newer);
    await store.saveOperation({ ...one, round: 2, updatedAtMs: nowMs + 5 });
    expect(await store.readOperation(one.operationId)).toEqual(newer);
  });

  it('prefer the further progress within one millisecond', async () => {
    const one = operation();
    const counts = { planned: 100, confirmed: 60, skipped: 0, failed: 0, remaining: 40 };
    await store.saveOperation({ ...one, counts });
    await store.saveOperation({ ...one, counts: { ...counts, confirmed: 20, remaining: 80 } });
    expect((await store.readOperation(one.operationId))?.counts.confirmed).toBe(60);
  });

  it('stay ended, also against a late writer whose clock is ahead', async () => {
    const siteName = `site-${ulid()}`;
    const one = operation({ siteName });
    const ended: Operation = { ...one, state: 'done', updatedAtMs: nowMs + 100 };
    await store.saveOperation(ended);
    await store.saveOperation({ ...one, state: 'running', updatedAtMs: nowMs + 60_000 });
    expect(await store.readOperation(one.operationId)).toEqual(ended);
    expect(await store.listOpenOperations(siteName)).toEqual([]);
  });
});

describe('controller store: ledger', () => {
  const row = (operationId: string, at: number, more: Partial<LedgerRow> = {}): LedgerRow => {
    const username = `user${String(at).padStart(4, '0')}@example.com`;
    const [sourceId, targetId] = [randomUUID(), randomUUID()];
    return { ...planRow({ operationId, chunk: 0, username, sourceId, targetId }), ...more };
  };
  const micros = nowMs * 1000;

  it('saves and reads a chunk of 200 rows, in time', async () => {
    const operationId = ulid();
    const rows = Array.from({ length: 200 }, (_, at) => row(operationId, at));
    await store.saveLedgerRows(rows);
    const startedMs = performance.now();
    const sent = rows.map((one): LedgerRow => ({
      ...one,
      state: 'sent',
      attempts: 1,
      moveTimestampMicros: micros,
      sentAtMs: nowMs,
    }));
    await store.saveLedgerRows(sent);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(await store.readLedgerChunk(operationId, 0)).toEqual(sent);
    expect(await store.readLedgerChunk(operationId, 1)).toEqual([]);
  });

  it('does not let a late writer undo what was confirmed', async () => {
    const operationId = ulid();
    const sent = row(operationId, 1, { state: 'sent', attempts: 1, moveTimestampMicros: micros });
    const confirmed: LedgerRow = { ...sent, state: 'confirmed', endedAtMs: nowMs };
    await store.saveLedgerRows([confirmed]);
    await store.saveLedgerRows([sent]);
    await store.saveLedgerRows([{ ...sent, state: 'planned', moveTimestampMicros: null }]);
    expect(await store.readLedgerChunk(operationId, 0)).toEqual([confirmed]);
  });

  it('does not let a writer that froze undo it either, who takes a new move timestamp when it thaws', async () => {
    const operationId = ulid();
    const sent = row(operationId, 1, { state: 'sent', attempts: 1, moveTimestampMicros: micros });
    const confirmed: LedgerRow = { ...sent, state: 'confirmed', endedAtMs: nowMs };
    const cancelled = row(operationId, 2, {
      state: 'skipped',
      reason: 'Cancelled',
      endedAtMs: nowMs,
    });
    await store.saveLedgerRows([sent, confirmed], { scheduledAtMs: nowMs + 5_000 });
    await store.saveLedgerRows([cancelled], { scheduledAtMs: nowMs + 5_000 });
    const late = { state: 'sent', attempts: 1, moveTimestampMicros: micros + 60_000_000 } as const;
    await store.saveLedgerRows(
      [
        { ...sent, ...late },
        { ...cancelled, ...late, endedAtMs: null },
      ],
      { scheduledAtMs: nowMs },
    );
    const rows = await store.readLedgerChunk(operationId, 0);
    expect(rows.map(({ state, reason }) => [state, reason])).toEqual([
      ['confirmed', null],
      ['skipped', 'Cancelled'],
    ]);
    expect(rows[0]).toEqual(confirmed);
  });

  it('lets a later attempt, as a force is, follow an earlier end', async () => {
    const operationId = ulid();
    const failed = row(operationId, 1, {
      state: 'failed',
      reason: 'RetriesExhausted',
      attempts: 3,
      moveTimestampMicros: micros,
    });
    const forced: LedgerRow = {
      ...failed,
      state: 'confirmed',
      reason: 'Forced',
      isForced: true,
      attempts: 4,
      moveTimestampMicros: micros + 3,
    };
    await store.saveLedgerRows([failed]);
    await store.saveLedgerRows([forced]);
    expect(await store.readLedgerChunk(operationId, 0)).toEqual([forced]);
  });

  it('ends what was only planned', async () => {
    const operationId = ulid();
    await store.saveLedgerRows([row(operationId, 1)]);
    const ended = row(operationId, 1, { state: 'skipped', reason: 'Cancelled', endedAtMs: nowMs });
    await store.saveLedgerRows([ended]);
    expect((await store.readLedgerChunk(operationId, 0)).map(({ state }) => state)).toEqual([
      'skipped',
    ]);
  });

  it('pages over all chunks, and by state', async () => {
    const operationId = ulid();
    for (const chunk of [0, 1, 2]) {
      const states = ['confirmed', 'sent'] as const;
      const rows = Array.from({ length: 10 }, (_, at) =>
        row(operationId, chunk * 100 + at, { chunk, state: states[at % 2] ?? 'sent' }),
      );
      await store.saveLedgerRows(rows);
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await store.pageLedger(operationId, { limit: 7, cursor });
      seen.push(...page.rows.map(({ username }) => username));
      cursor = page.cursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(30);
    expect(seen).toHaveLength(30);
    const some = await store.pageLedger(operationId, { limit: 50, cursor: null, state: 'sent' });
    expect(some.rows).toHaveLength(15);
  });

  it('tells the moves of a user, newest first', async () => {
    const next = monotonicFactory();
    const operationIds = [next(), next(), next()];
    for (const operationId of operationIds) {
      await store.saveLedgerRows([row(operationId, 1, { username: 'traveller', chunk: 4 })]);
    }
    const moves = await store.readMovesOfUser('traveller', 2);
    expect(moves.map(({ operationId }) => operationId)).toEqual(operationIds.reverse().slice(0, 2));
    expect(await store.readMovesOfUser('nobody', 5)).toEqual([]);
  });

  it('knows the chunks in flight of a site', async () => {
    const chunk: ChunkInFlight = {
      siteName: `site-${ulid()}`,
      sourceId: randomUUID(),
      operationId: ulid(),
      chunk: 3,
      targetId: randomUUID(),
      remaining: 120,
      attempts: 1,
      sentAtMs: nowMs,
    };
    const { siteName, sourceId, operationId } = chunk;
    await store.saveChunkInFlight(chunk);
    await store.saveChunkInFlight({ ...chunk, chunk: 4 });
    await store.saveChunkInFlight({ ...chunk, remaining: 20 });
    expect(await store.readChunksInFlight(siteName)).toEqual([
      { ...chunk, remaining: 20 },
      { ...chunk, chunk: 4 },
    ]);
    await store.removeChunkInFlight(siteName, sourceId, operationId, 3);
    expect(await store.readChunksInFlight(siteName)).toEqual([{ ...chunk, chunk: 4 }]);
  });

  it('knows those of other sources, whose ids are before and after', async () => {
    const siteName = `site-${ulid()}`;
    const [before, own, after] = ['1', '8', 'e'].map(
      (digit) => `${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}`,
    );
    const chunks = [before, own, after].map((sourceId): ChunkInFlight => ({
      siteName,
      sourceId: sourceId ?? '',
      operationId: ulid(),
      chunk: 0,
      targetId: randomUUID(),
      remaining: 10,
      attempts: 0,
      sentAtMs: nowMs,
    }));
    for (const chunk of chunks) await store.saveChunkInFlight(chunk);
    const others = await store.readChunksOfOthers(siteName, own ?? '');
    expect(others).toEqual([chunks[0], chunks[2]]);
    expect(await store.readChunksOfOthers(siteName, randomUUID())).toHaveLength(3);
  });
});
