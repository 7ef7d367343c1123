/** The store loses what it acknowledged when all of it dies at once: the ledger is looked at once more at the end. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createCloseLedger,
  type ClosedLedger,
  type CloseLedgerActivities,
  type CloseLedgerInput,
} from '../../activities/close-ledger.ts';
import type { ActivityContext } from '../../activities/context.ts';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { createControllerStore } from '../../gateways/controller-store/cassandra-store.ts';
import type { ControllerStore } from '../../gateways/controller-store/controller-store.ts';
import { migrate } from '../../gateways/controller-store/migrate.ts';
import { createGeodb } from '../../gateways/geodb/cassandra-geodb.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import { planRow, type LedgerRow } from '../../workflows/domain/user-move.ts';
import { cql, dropAndClose, logger, openSession, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const { keyspace, geodbKeyspace, localDataCenter } = config.cassandra;
const [sourceId, targetId, elsewhereId] = [randomUUID(), randomUUID(), randomUUID()];
const nowMs = Date.now();
let session: CassandraSession;
let store: ControllerStore;
let context: ActivityContext;

beforeAll(async () => {
  await initGeodb(config, logger);
  session = openSession(config);
  await migrate(session, logger, { keyspace, localDataCenter });
  store = createControllerStore(session, keyspace);
  const geodb = createGeodb(session, geodbKeyspace);
  const temporal = { readOwnerName: () => Promise.resolve('ours') };
  context = { config, store, geodb, logger, temporal } as unknown as ActivityContext;
  await geodb.claimIfFree(config.site, 'ours');
});

afterAll(async () => {
  await session.executeSchema('cleanUp', `DROP KEYSPACE IF EXISTS ${geodbKeyspace}`);
  await dropAndClose(session, keyspace);
});

async function live(username: string, backendId: string): Promise<void> {
  const text = 'INSERT INTO {ks}.users (username, backend_id) VALUES (?, ?)';
  await session.write('test', cql(geodbKeyspace, 'users', text), [username, backendId]);
}

function rowsOf(operationId: string) {
  return (chunk: number, username: string, more: Partial<LedgerRow>): LedgerRow => ({
    ...planRow({ operationId, chunk, username, sourceId, targetId }),
    ...more,
  });
}

/** As an attempt that was scheduled now: its rows win over older ones. */
const close = (operationId: string, chunks: number, epoch?: number): Promise<ClosedLedger> =>
  new MockActivityEnvironment({ currentAttemptScheduledTimestampMs: Date.now() }).run<
    [CloseLedgerInput],
    ClosedLedger,
    CloseLedgerActivities['closeLedger']
  >(createCloseLedger(context).closeLedger, { operationId, chunks, epoch });

describe('closing a ledger', () => {
  const sent = {
    state: 'sent',
    attempts: 1,
    moveTimestampMicros: nowMs * 1000,
    sentAtMs: nowMs,
  } as const;
  const confirmed = { ...sent, state: 'confirmed', endedAtMs: nowMs } as const;

  it('changes nothing where every row has ended, and counts them', async () => {
    const operationId = ulid();
    const row = rowsOf(operationId);
    const rows = Array.from({ length: 60 }, (_, at) =>
      row(at % 20, `user${at}@a.example`, confirmed),
    );
    for (const one of rows) await store.saveLedgerRows([one]);
    const counts = { planned: 60, confirmed: 60, skipped: 0, failed: 0, remaining: 0 };
    expect(await close(operationId, 20)).toEqual({ counts, reopened: 0 });
  });

  it('ends what is open again by where its user lives now, and says what was lost for good', async () => {
    const operationId = ulid();
    const row = rowsOf(operationId);
    await live('sent@b.example', targetId);
    await live('planned@b.example', targetId);
    await live('back@b.example', sourceId);
    await live('away@b.example', elsewhereId);
    await store.saveLedgerRows([
      row(0, 'ended@b.example', confirmed),
      row(0, 'sent@b.example', sent),
    ]);
    await store.saveLedgerRows([row(1, 'planned@b.example', {}), row(1, 'back@b.example', sent)]);
    await store.saveLedgerRows([row(2, 'away@b.example', sent), row(2, 'gone@b.example', sent)]);
    const counts = { planned: 6, confirmed: 3, skipped: 2, failed: 1, remaining: 0 };
    expect(await close(operationId, 3)).toEqual({ counts, reopened: 5 });
    const chunks = [0, 1, 2].map((chunk) => store.readLedgerChunk(operationId, chunk));
    const rows = (await Promise.all(chunks)).flat();
    const ends = rows.map(({ username, state, reason }) => [username.split('@')[0], state, reason]);
    expect(ends).toEqual([
      ['ended', 'confirmed', null],
      ['sent', 'confirmed', null],
      ['back', 'failed', 'EndLost'],
      ['planned', 'confirmed', null],
      ['away', 'skipped', 'MovedElsewhere'],
      ['gone', 'skipped', 'UserGone'],
    ]);
    expect(rows.every(({ endedAtMs }) => endedAtMs !== null)).toBe(true);
    expect(await close(operationId, 3)).toEqual({ counts, reopened: 0 });
  });

  it('is for the owner of the site alone', async () => {
    const closing = close(ulid(), 1, 4_711);
    await expect(closing).rejects.toThrow();
  });
});
