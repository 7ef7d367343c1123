import type {
  LedgerRow,
  MoveCounts,
  UserHomeWithWriteTime,
} from '../workflows/domain/user-move.ts';

export function isOpen(row: LedgerRow): boolean {
  return row.state === 'planned' || row.state === 'sent';
}

/**
 * Ends a row by where its user lives now. Confirmed means that the home read back is ours: it carries
 * the timestamp of our attempt, or the one after it which the source uses to finish.
 */
export function settleRow(
  row: LedgerRow,
  home: UserHomeWithWriteTime | undefined,
  nowMs: number,
): LedgerRow {
  const end = (state: LedgerRow['state'], reason: LedgerRow['reason']): LedgerRow => ({
    ...row,
    state,
    reason,
    endedAtMs: nowMs,
  });
  if (home === undefined) return end('skipped', 'UserGone');
  if (home.backendId === row.targetId) {
    if (row.attempts === 0) return end('skipped', 'AlreadyOnTarget');
    if (home.isMoving) return row;
    return end('confirmed', row.isForced ? 'Forced' : null);
  }
  if (home.backendId === row.sourceId) return row;
  return home.isMoving ? row : end('skipped', 'MovedElsewhere');
}

/** Always planned = confirmed + skipped + failed + remaining. */
export function countRows(rows: readonly LedgerRow[]): MoveCounts {
  const count = (state: LedgerRow['state']): number =>
    rows.filter((row) => row.state === state).length;
  const [confirmed, skipped, failed] = [count('confirmed'), count('skipped'), count('failed')];
  const remaining = rows.length - confirmed - skipped - failed;
  return { planned: rows.length, confirmed, skipped, failed, remaining };
}

/** The rows, with those that changed in their places. */
export function merge(rows: readonly LedgerRow[], changed: readonly LedgerRow[]): LedgerRow[] {
  const byName = new Map(changed.map((row) => [row.username, row]));
  return rows.map((row) => byName.get(row.username) ?? row);
}
