import { log } from '@temporalio/workflow';
import { actActivities, taskActivities } from './activity-options.ts';
import type { MoveRequest, TaskInput } from './contract.ts';
import { assert } from './domain/assert.ts';
import type { ClusterSnapshot } from './domain/cluster-snapshot.ts';
import type { RecordedDecision } from './domain/decision.ts';
import { runOnce } from './endless-task.ts';
import { causeOf } from './failure-cause.ts';
import { decideBackendHealth } from './policy/decide-backend-health.ts';
import { requestOf } from './request-of.ts';

/**
 * `check_backend_health`: snapshot, decide, record, act.
 * Source: controller documentation, "health checking".
 */
export async function checkBackendHealth(_input: TaskInput): Promise<void> {
  await runOnce('check_backend_health', async () => {
    const { snapshotId, snapshot } = await taskActivities.takeSnapshot();
    const { decisions, health } = decideBackendHealth(snapshot);
    const recorded = await taskActivities.recordDecisions({
      task: 'check_backend_health',
      snapshotId,
      takenAtMs: snapshot.takenAtMs,
      epoch: snapshot.epoch ?? null,
      decisions,
      verdicts: health.map(({ backendId, host, verdict, sinceMs }) => {
        return { backendId, host, verdict, sinceMs };
      }),
    });
    const outcomes: Record<string, number> = { decisions: decisions.length };
    for (const decision of recorded) {
      const outcome = await act(snapshot, decision);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return outcomes;
  });
}

/** One decision that fails to be carried out must not keep the others from it. */
async function act(snapshot: ClusterSnapshot, decision: RecordedDecision): Promise<string> {
  try {
    return await carryOut(snapshot, decision);
  } catch (failure) {
    const { kind, hosts } = decision;
    log.warn('decision not carried out', { kind, hosts, error: causeOf(failure) });
    return 'failed';
  }
}

async function carryOut(snapshot: ClusterSnapshot, decision: RecordedDecision): Promise<string> {
  const backendId = decision.backendId;
  const sourceHost = decision.hosts[0];
  const epoch = snapshot.epoch ?? null;
  assert(backendId !== null && sourceHost !== undefined, 'an acting decision names its Backend');
  const control = (verb: 'pause' | 'resume' | 'endEarly'): Promise<boolean> =>
    actActivities.controlMover({
      sourceHost,
      verb,
      epoch,
      message: {
        operationId: decision.operationId,
        actor: 'check_backend_health',
        reason: decision.reason,
      },
    });
  switch (decision.kind) {
    case 'evacuate':
    case 'movePartially': {
      const answer = await actActivities.requestMoves(toRequest(snapshot, decision));
      if (answer.answer === 'refused') return 'refused';
      if (decision.kind === 'movePartially') {
        await actActivities.notePartialMove({ backendId, atMs: snapshot.takenAtMs });
      }
      return 'started';
    }
    case 'setOnline':
      await actActivities.changeStatus({ backendId, status: 'online', epoch });
      await actActivities.setAcceptNewUsers({ backendId, isAccepting: true, epoch });
      return 'setOnline';
    case 'setOffline':
      await actActivities.changeStatus({ backendId, status: 'offline', epoch });
      await control('endEarly');
      return 'setOffline';
    case 'pauseOperation':
      return (await control('pause')) ? 'paused' : 'moverMissing';
    case 'resumeOperation':
      return (await control('resume')) ? 'resumed' : 'moverMissing';
    case 'endEvacuation':
      return (await control('endEarly')) ? 'ended' : 'moverMissing';
    default:
      return 'nothing';
  }
}

function toRequest(snapshot: ClusterSnapshot, decision: RecordedDecision): MoveRequest {
  const { settings } = snapshot;
  if (decision.kind === 'movePartially') {
    return requestOf(snapshot, decision, {
      kind: 'partialMove',
      cause: 'degraded',
      maxUsers: decision.numbers['usersToMove'] ?? 0,
      stepRatio: 1,
      minLastMovedSecs: settings.failureCoolTimeSecs,
    });
  }
  // No cool time keeps a user on a critical Backend.
  return requestOf(snapshot, decision, { kind: 'evacuation', cause: 'health', endsOffline: true });
}
