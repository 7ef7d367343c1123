/**
 * The last look at the ledger of an operation that is about to end. Cassandra acknowledges writes before
 * they are on the disk, as it is set up by default: where all replicas die at once, the last of what they
 * acknowledged is gone, and a row that was ended is open again.
 */
import { inGroups } from '../gateways/cassandra-session.ts';
import {
  addMoveCounts,
  NO_MOVES,
  type LedgerRow,
  type MoveCounts,
} from '../workflows/domain/user-move.ts';
import type { ActivityContext } from './context.ts';
import { withHeartbeat } from './heartbeat.ts';
import { saveRows } from './save-rows.ts';
import { countRows, isOpen, merge, settleRow } from './settle-rows.ts';
import { assertOwnsSite, type DecidedUnder } from './site-owner.ts';

const CHUNKS_AT_ONCE = 8;

export interface CloseLedgerInput extends DecidedUnder {
  readonly operationId: string;
  /** Chunks are numbered from 0 up to this one, exclusive. */
  readonly chunks: number;
}

export interface ClosedLedger {
  /** Of the whole ledger, as it stands now. */
  readonly counts: MoveCounts;
  /** Rows that were open again, and were ended once more by where their users live. */
  readonly reopened: number;
}

export interface CloseLedgerActivities {
  /** Only for operations of which every chunk has ended. */
  closeLedger(input: CloseLedgerInput): Promise<ClosedLedger>;
}

export function createCloseLedger(context: ActivityContext): CloseLedgerActivities {
  return {
    closeLedger: (input) =>
      withHeartbeat(async (signal) => {
        await assertOwnsSite(context, input);
        const numbers = Array.from({ length: input.chunks }, (_, chunk) => chunk);
        let closed: ClosedLedger = { counts: NO_MOVES, reopened: 0 };
        for (const group of inGroups(numbers, CHUNKS_AT_ONCE)) {
          signal.throwIfAborted();
          closed = add(closed, await closeChunks(context, input.operationId, group));
        }
        const { reopened } = closed;
        const { operationId } = input;
        if (reopened > 0)
          context.logger.warn({ operationId, reopened }, 'the store lost ends of moves');
        return closed;
      }),
  };
}

const add = (a: ClosedLedger, b: ClosedLedger): ClosedLedger => ({
  counts: addMoveCounts(a.counts, b.counts),
  reopened: a.reopened + b.reopened,
});

async function closeChunks(
  context: ActivityContext,
  operationId: string,
  chunks: readonly number[],
): Promise<ClosedLedger> {
  const read = await Promise.all(
    chunks.map((chunk) => context.store.readLedgerChunk(operationId, chunk)),
  );
  const closed = await Promise.all(
    read.map(async (rows): Promise<ClosedLedger> => {
      const ended = await endAgain(context, rows.filter(isOpen));
      return { counts: countRows(merge(rows, ended)), reopened: ended.length };
    }),
  );
  return closed.reduce(add);
}

/** What was lost may be the sending as well: that these rows had ended is known, so they were sent. */
async function endAgain(
  context: ActivityContext,
  open: readonly LedgerRow[],
): Promise<LedgerRow[]> {
  if (open.length === 0) return [];
  const homes = await context.geodb.readUsers(open.map(({ username }) => username));
  const nowMs = Date.now();
  const ended = open.map((row): LedgerRow => {
    const sent = { ...row, attempts: Math.max(1, row.attempts) };
    const settled = settleRow(sent, homes.get(row.username), nowMs);
    if (!isOpen(settled)) return settled;
    return { ...settled, state: 'failed', reason: 'EndLost', endedAtMs: nowMs };
  });
  await saveRows(context, ended);
  return ended;
}
