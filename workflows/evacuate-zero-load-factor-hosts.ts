import { actActivities, taskActivities } from './activity-options.ts';
import type { TaskInput } from './contract.ts';
import type { ClusterSnapshot } from './domain/cluster-snapshot.ts';
import type { RecordedDecision } from './domain/decision.ts';
import { runOnce } from './endless-task.ts';
import { decideDrains } from './policy/decide-drains.ts';
import { requestOf } from './request-of.ts';

/**
 * `evacuate_zero_load_factor_hosts`: empties Backends whose load factor is 0, without setting them
 * offline, and stops when it is raised again.
 * Source: controller documentation, task table.
 */
export async function evacuateZeroLoadFactorHosts(_input: TaskInput): Promise<void> {
  await runOnce('evacuate_zero_load_factor_hosts', async () => {
    const { snapshotId, snapshot } = await taskActivities.takeSnapshot();
    const recorded = await taskActivities.recordDecisions({
      task: 'evacuate_zero_load_factor_hosts',
      snapshotId,
      takenAtMs: snapshot.takenAtMs,
      epoch: snapshot.epoch ?? null,
      decisions: decideDrains(snapshot),
      verdicts: [],
    });
    const outcomes: Record<string, number> = { drained: 0, ended: 0, refused: 0 };
    for (const decision of recorded) {
      const outcome = await act(snapshot, decision);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return outcomes;
  });
}

async function act(snapshot: ClusterSnapshot, decision: RecordedDecision): Promise<string> {
  const sourceHost = decision.hosts[0] ?? '';
  if (decision.kind === 'endDrain') {
    const { operationId, task: actor, reason } = decision;
    const message = { operationId, actor, reason };
    const epoch = snapshot.epoch ?? null;
    const control = { sourceHost, verb: 'endEarly', message, epoch } as const;
    const isEnded = await actActivities.controlMover(control);
    return isEnded ? 'ended' : 'moverMissing';
  }
  if (decision.kind !== 'drain') return 'nothing';
  const request = requestOf(snapshot, decision, { kind: 'drain', cause: 'drain' });
  const answer = await actActivities.requestMoves(request);
  return answer.answer === 'refused' ? 'refused' : 'drained';
}
