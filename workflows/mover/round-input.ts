/** What the next round asks of the activity that plans it. */
import type { MoveSituation } from '../../activities/move-users.ts';
import type { PlanRoundInput } from '../../activities/plan-round.ts';
import { chunkSizeOf, countedChunkSize } from '../policy/plan-evacuation.ts';
import type { TargetSelection } from '../policy/select-targets.ts';
import { epochOf, stateOf, type Mover } from './mover.ts';

/** Named users cannot be asked for by count: where the source takes no list, they are forced. */
export function roundInput(
  mover: Mover,
  situation: MoveSituation,
  users: number,
  quotas: TargetSelection['quotas'],
): PlanRoundInput {
  const state = stateOf(mover);
  const { request } = state;
  const { speedPercent } = mover.inbox;
  const selectionId = request.selectionId ?? null;
  const takesNoList = situation.takesUserList === false;
  const isCounted = takesNoList && selectionId === null && !request.isForced;
  if (takesNoList && selectionId !== null) {
    mover.state = { ...state, request: { ...request, isForced: true } };
  }
  const isForeign = request.cause === 'foreign';
  return {
    operationId: request.operationId,
    sourceId: request.sourceId,
    users,
    firstChunk: state.nextChunk,
    cursor: state.cursor,
    ...(isCounted ? { isCounted } : {}),
    ...(selectionId === null ? {} : { selectionId, isForeign }),
    epoch: epochOf(state),
    rule: {
      quotas: quotas.map(({ backendId, users: share }) => ({ backendId, users: share })),
      minLastMovedSecs: request.minLastMovedSecs,
      arePassedOver: request.maxUsers !== null && selectionId === null,
      chunkSize: isCounted ? countedChunkSize(speedPercent) : chunkSizeOf(users, speedPercent),
    },
  };
}
