import { actActivities, taskActivities } from './activity-options.ts';
import type { MoveRequest } from './contract.ts';
import { decideForeignMoves, type ForeignMoves } from './policy/decide-foreign-moves.ts';

/**
 * Part of `check_user_moves`: moves that somebody else began and that do not end are handed to the mover
 * of their source, as a list in the controller store. Only movers act.
 */
export async function finishForeignMoves(epoch: number | null): Promise<Record<string, number>> {
  const { takenAtMs, settings, situation, moves, siteName } =
    await taskActivities.lookForForeignMoves();
  const outcomes = { foreign: 0, foreignFinished: 0 };
  for (const each of moves) {
    outcomes.foreign += each.users;
    const answer = decideForeignMoves(each, situation, settings, takenAtMs);
    if (answer.kind === 'wait') continue;
    const { sourceId } = each;
    const { seenBeforeMs } = answer;
    const selected = await actActivities.selectForeignMoves({ sourceId, seenBeforeMs });
    const { selectionId, users, targetIds } = selected;
    if (users === 0) continue;
    const asked = await actActivities.requestMoves({
      ...requestFor(each, selectionId, siteName),
      targetIds,
      epoch,
      maxUsers: users,
      reason: answer.reason,
    });
    if (asked.answer !== 'refused') outcomes.foreignFinished += users;
  }
  return outcomes;
}

function requestFor(
  { sourceId, sourceHost }: ForeignMoves,
  selectionId: string,
  siteName: string,
): Omit<MoveRequest, 'targetIds' | 'maxUsers' | 'reason'> {
  return {
    operationId: selectionId,
    siteName,
    kind: 'finishMoves',
    cause: 'foreign',
    sourceId,
    sourceHost,
    stepRatio: 1,
    minLastMovedSecs: null,
    endsOffline: false,
    isForced: true,
    selectionId,
    requestedBy: 'check_user_moves',
    decisionId: null,
  };
}
