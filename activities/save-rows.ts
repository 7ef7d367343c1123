import { Context } from '@temporalio/activity';
import type { LedgerRow } from '../workflows/domain/user-move.ts';
import type { ActivityContext } from './context.ts';

/**
 * Writes rows of the ledger as the attempt of the activity that runs here. A worker that froze and comes
 * back late has the move timestamps of now, but the attempt of then: whatever a later attempt wrote stays.
 */
export async function saveRows(
  { store }: Pick<ActivityContext, 'store'>,
  rows: readonly LedgerRow[],
): Promise<void> {
  const { currentAttemptScheduledTimestampMs } = Context.current().info;
  await store.saveLedgerRows(rows, { scheduledAtMs: currentAttemptScheduledTimestampMs });
}
