import type { LedgerRow, UserHomeWithWriteTime } from '../workflows/domain/user-move.ts';

/**
 * Every attempt has one write timestamp in microseconds, above all that was written before; a repeat of
 * the attempt reuses it, so that it has the same effect once. The source uses it and the one after it.
 */
export function attemptTimestamp(
  rows: readonly LedgerRow[],
  homes: ReadonlyMap<string, UserHomeWithWriteTime>,
): number {
  let newest = 0;
  for (const home of homes.values()) newest = Math.max(newest, home.homeWrittenAtMicros);
  const former = Math.max(0, ...rows.map((row) => row.moveTimestampMicros ?? 0));
  if (former > newest) return former;
  return Math.max(Date.now() * 1000, newest) + 1;
}
