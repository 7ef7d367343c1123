/** Homes for the timestamp of an attempt: one that was just read to settle the rows will do. */
import type { LedgerRow, UserHomeWithWriteTime } from '../workflows/domain/user-move.ts';
import type { ActivityContext } from './context.ts';

/**
 * A write that comes in between is one of a moment ago: by then its timestamp is below that of the
 * attempt, which is not below the clock.
 */
const LATELY_MS = 1_000;

/** Homes as of a reading that began at that time, by user name. */
export interface Looked {
  readonly atMs: number;
  readonly homes: ReadonlyMap<string, UserHomeWithWriteTime>;
}

export async function readHomesLately(
  context: ActivityContext,
  rows: readonly LedgerRow[],
  looked: Looked | undefined,
): Promise<ReadonlyMap<string, UserHomeWithWriteTime>> {
  if (looked !== undefined && Date.now() - looked.atMs < LATELY_MS) return looked.homes;
  return context.geodb.readUsers(rows.map((row) => row.username));
}
