/** The ledger of moves, the moves of a user, and the chunks in flight. */
import type {
  ChunkInFlight,
  LedgerReason,
  LedgerRow,
  LedgerState,
} from '../../workflows/domain/user-move.ts';
import { inGroups, type CassandraSession, type Row } from '../cassandra-session.ts';
import { numberOf, orUnset, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import type { ControllerStore, LedgerWriter } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type LedgerMethods = Pick<
  ControllerStore,
  | 'saveLedgerRows'
  | 'readLedgerChunk'
  | 'pageLedger'
  | 'readMovesOfUser'
  | 'saveChunkInFlight'
  | 'removeChunkInFlight'
  | 'readChunksInFlight'
  | 'readChunksOfOthers'
>;

/** Rows of one batch: below the size that Cassandra warns of. */
const BATCH_ROWS = 20;

export function ledgerMethods(
  session: CassandraSession,
  statements: StoreStatements,
): LedgerMethods {
  return {
    saveLedgerRows: (rows, by) => saveLedgerRows(session, statements, rows, by),
    readLedgerChunk: async (operationId, chunk) => {
      const key = [operationId, chunk];
      const rows = await session.read('readLedgerChunk', statements.readLedgerChunk, key);
      return rows.map(toLedgerRow);
    },
    pageLedger: (operationId, options) => pageLedger(session, statements, operationId, options),
    readMovesOfUser: async (username, limit) => {
      const key = [username, limit];
      const pointers = await session.read('readMovesOfUser', statements.readMovesOfUser, key);
      const moves = new Map<Row, LedgerRow>();
      await session.forEach(pointers, async (pointer) => {
        const { operation_id: operationId, chunk } = pointer;
        const params = [operationId, chunk, username];
        const row = await session.readOne('readLedgerRow', statements.readLedgerRow, params);
        if (row !== null) moves.set(pointer, toLedgerRow(row));
      });
      return pointers.map((pointer) => moves.get(pointer)).filter((move) => move !== undefined);
    },
    ...inFlightMethods(session, statements),
  };
}

type InFlightMethods = Pick<
  ControllerStore,
  'saveChunkInFlight' | 'removeChunkInFlight' | 'readChunksInFlight' | 'readChunksOfOthers'
>;

function inFlightMethods(session: CassandraSession, statements: StoreStatements): InFlightMethods {
  return {
    saveChunkInFlight: async (chunk) => {
      await session.write('saveChunkInFlight', statements.saveChunkInFlight, [
        chunk.siteName,
        chunk.sourceId,
        chunk.operationId,
        chunk.chunk,
        chunk.targetId,
        chunk.remaining,
        chunk.attempts,
        toBigint(chunk.sentAtMs),
      ]);
    },
    removeChunkInFlight: async (siteName, sourceId, operationId, chunk) => {
      const key = [siteName, sourceId, operationId, chunk];
      await session.write('removeChunkInFlight', statements.removeChunkInFlight, key);
    },
    readChunksInFlight: async (siteName) => {
      const { readChunksInFlight } = statements;
      const rows = await session.read('readChunksInFlight', readChunksInFlight, [siteName]);
      return rows.map((row) => toChunkInFlight(siteName, row));
    },
    readChunksOfOthers: async (siteName, sourceId) => {
      const { readChunksBefore, readChunksAfter } = statements;
      const key = [siteName, sourceId];
      const parts = await Promise.all(
        [readChunksBefore, readChunksAfter].map((statement) =>
          session.read('readChunksOfOthers', statement, key),
        ),
      );
      return parts.flat().map((row) => toChunkInFlight(siteName, row));
    },
  };
}

async function saveLedgerRows(
  session: CassandraSession,
  statements: StoreStatements,
  rows: readonly LedgerRow[],
  by?: LedgerWriter,
): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const pointed = rows.filter(isNewToUser);
  // What points to the rows comes first: a row that nobody finds is worse than an empty pointer.
  if (pointed.length > 0) {
    await Promise.all([
      session.write('saveLedgerRows', statements.saveLedgerChunk, [first.operationId, first.chunk]),
      session.writeMany(
        'saveMovesOfUsers',
        pointed.map(({ username, operationId, chunk }) => ({
          statement: statements.saveMoveOfUser,
          params: [username, operationId, chunk],
        })),
      ),
    ]);
  }
  await session.forEach(inGroups(rows, BATCH_ROWS), (batch) =>
    session.batch(
      'saveLedgerRows',
      batch.map((row) => ({ statement: statements.saveLedgerRow, params: toParams(row, by) })),
      { isLogged: false },
    ),
  );
}

/**
 * A row with an attempt was written before, when it was planned: before anything is sent. Not so where
 * the source chose the user: that row begins as sent without a timestamp of ours, or as moved.
 */
function isNewToUser({ state, attempts, reason, moveTimestampMicros }: LedgerRow): boolean {
  const isChosenBySource = state === 'sent' && moveTimestampMicros === null;
  return attempts === 0 || isChosenBySource || reason === 'CountFallback';
}

/** What was set once is never unset again: a row only goes forward. */
function toParams(row: LedgerRow, by: LedgerWriter | undefined): unknown[] {
  return [
    row.operationId,
    row.chunk,
    row.username,
    row.sourceId,
    row.targetId,
    row.state,
    orUnset(row.reason),
    row.attempts,
    orUnset(toBigint(row.moveTimestampMicros)),
    row.isForced ? 1 : 0,
    orUnset(toBigint(row.sentAtMs)),
    orUnset(toBigint(row.endedAtMs)),
    orderOf(row, by),
  ];
}

const ORDER_OF_STATES: Readonly<Record<LedgerState, bigint>> = {
  planned: 0n,
  sent: 1n,
  failed: 2n,
  skipped: 3n,
  confirmed: 4n,
};

/**
 * Write timestamp of a row: by attempt, then by state, whatever the clock says. A writer that froze and
 * comes back late cannot undo what was confirmed since. The move timestamp alone does not tell attempts
 * apart: a late writer takes a new one. Planned rows are in order of time, and below every attempt.
 */
function orderOf({ moveTimestampMicros, state }: LedgerRow, by?: LedgerWriter): bigint {
  const isAttempt = by !== undefined && state !== 'planned';
  const micros = isAttempt ? by.scheduledAtMs * 1000 : moveTimestampMicros;
  if (micros === null) return BigInt(Date.now());
  return BigInt(Math.trunc(micros)) * 8n + ORDER_OF_STATES[state];
}

interface PageOptions {
  readonly limit: number;
  readonly cursor: string | null;
  readonly state?: LedgerState;
}

async function pageLedger(
  session: CassandraSession,
  statements: StoreStatements,
  operationId: string,
  { limit, cursor, state }: PageOptions,
): Promise<{ rows: LedgerRow[]; cursor: string | null }> {
  const from = parseCursor(cursor);
  const key = [operationId, from.chunk];
  const chunks = await session.read('pageLedger', statements.readLedgerChunks, key);
  const found: LedgerRow[] = [];
  for (const row of chunks) {
    const chunk = numberOf(row, 'chunk') ?? 0;
    const after = chunk === from.chunk ? from.username : '';
    const params = [operationId, chunk, after];
    const rows = await session.read('pageLedger', statements.pageLedgerChunk, params);
    for (const one of rows.map(toLedgerRow)) {
      if (state !== undefined && one.state !== state) continue;
      found.push(one);
      if (found.length === limit) return { rows: found, cursor: `${chunk}/${one.username}` };
    }
  }
  return { rows: found, cursor: null };
}

/** `<chunk>/<last user name>`. */
function parseCursor(cursor: string | null): { chunk: number; username: string } {
  const [, chunk, username] = /^(\d{1,9})\/(.*)$/s.exec(cursor ?? '') ?? [];
  return { chunk: Number(chunk ?? 0), username: username ?? '' };
}

function toLedgerRow(row: Row): LedgerRow {
  return {
    operationId: requiredText(row, 'operation_id'),
    chunk: numberOf(row, 'chunk') ?? 0,
    username: requiredText(row, 'username'),
    sourceId: requiredText(row, 'source_id'),
    targetId: requiredText(row, 'target_id'),
    state: requiredText(row, 'state') as LedgerState,
    reason: textOf(row, 'reason') as LedgerReason | null,
    attempts: numberOf(row, 'attempts') ?? 0,
    moveTimestampMicros: numberOf(row, 'move_timestamp'),
    isForced: numberOf(row, 'is_forced') === 1,
    sentAtMs: numberOf(row, 'sent_at_ms'),
    endedAtMs: numberOf(row, 'ended_at_ms'),
  };
}

function toChunkInFlight(siteName: string, row: Row): ChunkInFlight {
  return {
    siteName,
    sourceId: requiredText(row, 'source_id'),
    operationId: requiredText(row, 'operation_id'),
    chunk: numberOf(row, 'chunk') ?? 0,
    targetId: requiredText(row, 'target_id'),
    remaining: numberOf(row, 'remaining') ?? 0,
    attempts: numberOf(row, 'attempts') ?? 0,
    sentAtMs: numberOf(row, 'sent_at_ms') ?? 0,
  };
}
