import { patched } from '@temporalio/workflow';
import { actActivities, frequentActivities } from './activity-options.ts';
import type { MoverPause, MoveRequest, TaskInput } from './contract.ts';
import { runEndlessly } from './endless-task.ts';
import type { Operation } from './domain/operation.ts';
import type { PolicySettings } from './domain/policy-settings.ts';
import { finishForeignMoves } from './finish-foreign-moves.ts';
import { decideFollowUp, decideFollowUps } from './policy/decide-follow-ups.ts';
import { isAutomaticPause } from './policy/guard-operations.ts';
import { recordMoves } from './record-moves.ts';

/**
 * `check_user_moves`: finds moves that were sent and do not end, and tells their mover to try again or
 * to force them; starts a mover where none runs. Only movers act.
 * Finishing a started move is no new move, so no flag gates it.
 */
export async function checkUserMoves(input: TaskInput): Promise<void> {
  await runEndlessly(input, 'check_user_moves', async () => {
    const moves = await frequentActivities().readMoves();
    if (!moves.isOwner) return { notTheOwner: 1 };
    const { epoch, forgotten } = moves;
    if (patched('follow-ups-recorded')) {
      await recordMoves(moves, decideFollowUps(moves), moves.takenAtMs);
    }
    const outcomes = { open: moves.open.length, retried: 0, forced: 0, restarted: 0 };
    for (const open of moves.open) {
      const followUp = decideFollowUp(open, moves.settings, moves.takenAtMs);
      if (followUp === null) continue;
      if (followUp.isMoverMissing) {
        const request = { ...toRequest(open.operation, moves.settings), epoch };
        await actActivities.requestMoves(request);
        outcomes.restarted += 1;
        continue;
      }
      const { operationId, sourceHost, retryChunks, forceChunks } = followUp;
      const message = { operationId, retryChunks, forceChunks };
      await actActivities.followUpMoves({ sourceHost, message, epoch });
      outcomes.retried += retryChunks.length;
      outcomes.forced += forceChunks.length;
    }
    const foreign = patched('foreign-moves') ? await finishForeignMoves(moves) : {};
    // Last, since nobody waits for it: a store that refuses deletes holds nothing else up.
    if (forgotten !== undefined) await actActivities.removeForgotten({ chunks: forgotten, epoch });
    return { ...outcomes, ...foreign };
  });
}

/** Takes up an operation whose mover is gone: the same id, so the same ledger goes on. */
export function toRequest(operation: Operation, settings: PolicySettings): MoveRequest {
  const isWhole = operation.kind === 'evacuation' || operation.kind === 'drain';
  return {
    operationId: operation.operationId,
    siteName: operation.siteName,
    kind: operation.kind,
    cause: operation.cause,
    sourceId: operation.sourceId,
    sourceHost: operation.sourceHost,
    targetIds: operation.targetIds,
    // Users who are in the ledger already count towards it: the first round takes their chunks up.
    ...(operation.order ?? {
      maxUsers: isWhole ? null : operation.originalCount,
      stepRatio: isWhole ? settings.evacuateStepRatio : 1,
      minLastMovedSecs: null,
      endsOffline: operation.kind === 'evacuation' && operation.cause === 'health',
      isForced: operation.kind === 'forceMove',
    }),
    requestedBy: operation.requestedBy,
    reason: operation.reason,
    decisionId: operation.decisionId,
    takenUp: {
      createdAtMs: operation.createdAtMs,
      startedAtMs: operation.startedAtMs,
      originalCount: operation.originalCount,
      speedPercent: operation.speedPercent,
      pause: pauseOf(operation),
    },
  };
}

/** A pause outlives the mover: only whoever paused it, or ranks above him, may let it go on. */
function pauseOf(operation: Operation): MoverPause | null {
  if (operation.state !== 'paused') return null;
  const reason = operation.stateReason ?? '';
  return { actor: 'check_user_moves', reason, isByAutomation: isAutomaticPause(reason) };
}
