import { patched } from '@temporalio/workflow';
import { actActivities, taskActivities } from './activity-options.ts';
import type { MoveRequest } from './contract.ts';
import type { MovesSnapshot } from './domain/cluster-snapshot.ts';
import type { RecordedDecision } from './domain/decision.ts';
import type { ForeignMoves } from './domain/foreign-moves.ts';
import { decideForeign, decideForeignMoves } from './policy/decide-foreign-moves.ts';
import { recordMoves } from './record-moves.ts';

/**
 * Part of `check_user_moves`: moves that somebody else began and that do not end are handed to the mover
 * of their source, as a list in the controller store. Only movers act.
 */
export async function finishForeignMoves(ours: MovesSnapshot): Promise<Record<string, number>> {
  const { takenAtMs, settings, situation, moves, siteName } =
    await taskActivities.lookForForeignMoves();
  const epoch = ours.epoch ?? null;
  const outcomes = { foreign: 0, foreignFinished: 0 };
  const decided = await record({ ...ours, settings, foreign: { takenAtMs, situation, moves } });
  for (const each of moves) {
    outcomes.foreign += each.users;
    const answer = decideForeignMoves(each, situation, settings, takenAtMs);
    if (answer.kind === 'wait') continue;
    const { sourceId } = each;
    const decision = decided?.find(({ backendId }) => backendId === sourceId);
    // Whoever does not own the site any more has nothing to carry out.
    if (decided !== null && decision === undefined) continue;
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
      decisionId: decision?.decisionId ?? null,
    });
    if (asked.answer !== 'refused') outcomes.foreignFinished += users;
  }
  return outcomes;
}

/** Before anything is done. The answer is what is to be carried out; null: a run of a release that recorded nothing here. */
async function record(seen: MovesSnapshot): Promise<readonly RecordedDecision[] | null> {
  const { foreign, settings } = seen;
  const decisions = foreign === undefined ? [] : decideForeign(foreign, settings);
  if (foreign === undefined || decisions.length === 0) return [];
  if (!patched('foreign-moves-recorded')) return null;
  return recordMoves(seen, decisions, foreign.takenAtMs);
}

function requestFor(
  { sourceId, sourceHost }: ForeignMoves,
  selectionId: string,
  siteName: string,
): Omit<MoveRequest, 'targetIds' | 'maxUsers' | 'reason' | 'decisionId'> {
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
  };
}
