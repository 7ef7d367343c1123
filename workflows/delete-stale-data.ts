import { actActivities, taskActivities } from './activity-options.ts';
import type { TaskInput } from './contract.ts';
import { runOnce } from './endless-task.ts';
import { decideStaleData, findStaleData } from './policy/find-stale-data.ts';

/**
 * `delete_stale_data`: removes rows that belong to nothing any more. Never a user's row: users who point
 * to a Backend that does not exist are counted and reported.
 * Source: controller documentation, task table ("orphaned records").
 */
export async function deleteStaleData(_input: TaskInput): Promise<void> {
  await runOnce('delete_stale_data', async () => {
    const { snapshotId: takenId, snapshot } = await taskActivities.takeSnapshot();
    const references = await taskActivities.readReferences({ snapshotId: takenId });
    const stale = findStaleData(references);
    const recorded = await taskActivities.recordDecisions({
      task: 'delete_stale_data',
      snapshotId: references.snapshotId,
      takenAtMs: snapshot.takenAtMs,
      epoch: snapshot.epoch ?? null,
      decisions: [decideStaleData(stale, snapshot.isOwner)],
      verdicts: [],
    });
    const isDecided = recorded.some((decision) => decision.kind === 'deleteRows');
    if (isDecided)
      await actActivities.deleteRows({ rows: stale.rows, epoch: snapshot.epoch ?? null });
    return { deleted: isDecided ? stale.rows.length : 0, strandedUsers: stale.strandedUsers };
  });
}
