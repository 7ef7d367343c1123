import { taskActivities } from './activity-options.ts';
import type { MovesSnapshot } from './domain/cluster-snapshot.ts';
import type { Decision, RecordedDecision } from './domain/decision.ts';

/**
 * Records decisions of `check_user_moves` before anything is done, with what they were made from. A run that
 * decides nothing leaves no trace.
 *
 * @param takenAtMs when what they were made from was read
 * @returns what is to be carried out
 */
export async function recordMoves(
  moves: MovesSnapshot,
  decisions: readonly Decision[],
  takenAtMs: number,
): Promise<readonly RecordedDecision[]> {
  if (decisions.length === 0) return [];
  const { snapshotId } = await taskActivities.keepMoves({ moves });
  const { epoch } = moves;
  const about = { task: 'check_user_moves', snapshotId, takenAtMs, epoch, verdicts: [] } as const;
  return taskActivities.recordDecisions({ ...about, decisions });
}
