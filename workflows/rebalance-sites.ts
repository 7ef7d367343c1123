import { actActivities, taskActivities } from './activity-options.ts';
import type { TaskInput } from './contract.ts';
import type { ClusterSnapshot } from './domain/cluster-snapshot.ts';
import type { RecordedDecision } from './domain/decision.ts';
import { runOnce } from './endless-task.ts';
import { planRebalance } from './policy/plan-rebalance.ts';
import { requestOf } from './request-of.ts';

/**
 * `rebalance_sites`: moves some users from the most to the least loaded Backend.
 * Source: controller documentation, "load balancing".
 */
export async function rebalanceSites(_input: TaskInput): Promise<void> {
  await runOnce('rebalance_sites', async () => {
    const { snapshotId, snapshot } = await taskActivities.takeSnapshot();
    const { decisions } = planRebalance(snapshot);
    const recorded = await taskActivities.recordDecisions({
      task: 'rebalance_sites',
      snapshotId,
      takenAtMs: snapshot.takenAtMs,
      epoch: snapshot.epoch ?? null,
      decisions,
      verdicts: [],
    });
    const outcomes: Record<string, number> = { decisions: decisions.length };
    for (const each of recorded) {
      const outcome = await move(snapshot, each);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return outcomes;
  });
}

async function move(snapshot: ClusterSnapshot, decision: RecordedDecision): Promise<string> {
  const targetId = decision.detail;
  if (decision.kind !== 'rebalance' || targetId === null) return 'nothing';
  const request = requestOf(snapshot, decision, {
    kind: 'rebalance',
    cause: 'rebalance',
    targetIds: [targetId],
    maxUsers: decision.numbers['users'] ?? 0,
    stepRatio: 1,
    minLastMovedSecs: snapshot.settings.loadBalanceMinCoolTimeSecs,
  });
  const answer = await actActivities.requestMoves(request);
  if (answer.answer === 'refused') return 'refused';
  const atMs = snapshot.takenAtMs;
  await actActivities.noteBalanced({ backendIds: [request.sourceId, targetId], atMs });
  return 'started';
}
