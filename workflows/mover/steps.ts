/** The steps of an operation, in the order in which they come. */
import { condition, patched } from '@temporalio/workflow';
import { moverActivities, moverRecords } from '../activity-options.ts';
import type { MoverState, OpenChunk } from '../contract.ts';
import { LANES, roundSize } from '../policy/plan-evacuation.ts';
import { selectTargets } from '../policy/select-targets.ts';
import { allEnded } from './all-ended.ts';
import { addMoved, addRound, become, onTheWay, openRemaining, wantedLeft } from './book.ts';
import { dropEndedFollowUps, takeFollowUp } from './inbox.ts';
import { runLanes, type LaneControl } from './lanes.ts';
import { awaitTarget, lookAround, staleWhileSending, targetsOf } from './look-around.ts';
import { epochOf, saveSoon, startsSideBySide, stateOf, type Mover } from './mover.ts';
import { closeBook, reopenSource } from './ends.ts';
import { SETTLE_INTERVAL_MS, visitChunk } from './visit-chunk.ts';
import { roundInput } from './round-input.ts';

const OTHERS_INTERVAL_MS = 500;
/** It stays online: whoever raises its load factor again finds it open to new users. */
const REOPENED_WHEN_EMPTY = 'reopened-when-empty';
/** After so many sweeps the users who are still there are forced. */
const SWEEPS_BEFORE_FORCE = 2;

export async function beginMoves(mover: Mover): Promise<void> {
  const state = stateOf(mover);
  if (state.operation.state !== 'planned') return;
  const { maxUsers } = state.request;
  const users = startsSideBySide() ? await openSideBySide(mover) : await openInTurn(mover);
  const isNamed = state.request.selectionId != null;
  const originalCount =
    maxUsers === null || !isNamed ? Math.min(users, maxUsers ?? users) : maxUsers;
  const begun = become(state, 'running', null);
  const { takenUp } = state.request;
  const operation = {
    ...begun.operation,
    originalCount: Math.max(originalCount, takenUp?.originalCount ?? 0),
    startedAtMs: takenUp?.startedAtMs ?? Date.now(),
  };
  mover.state = { ...begun, operation };
  await saveSoon(mover);
}

/** Writes the row, where it is behind, while something else is done. */
async function alongside<T>(mover: Mover, work: () => Promise<T>): Promise<T> {
  if (!mover.isUnsaved) return work();
  const [, result] = await allEnded([mover.save({ isUrgent: true }), work()] as const);
  return result;
}

async function openInTurn(mover: Mover): Promise<number> {
  const { sourceId } = stateOf(mover).request;
  const users = await moverActivities.countUsers({ backendId: sourceId });
  await shutSource(mover);
  return users;
}

/** @returns users of the source. */
async function openSideBySide(mover: Mover): Promise<number> {
  const { sourceId } = stateOf(mover).request;
  const count = () => moverActivities.countUsers({ backendId: sourceId });
  const [users] = await alongside(mover, () => allEnded([count(), shutSource(mover)] as const));
  return users;
}

/** Whoever is emptied as a whole gets no new users meanwhile. */
async function shutSource(mover: Mover): Promise<void> {
  const { sourceId, maxUsers } = stateOf(mover).request;
  if (maxUsers !== null) return;
  const shut = { backendId: sourceId, isAccepting: false, epoch: epochOf(stateOf(mover)) };
  await moverRecords.setAcceptNewUsers(shut);
}

/** Reads the world again, selects targets, and writes the next round into the ledger. */
export async function planNext(mover: Mover): Promise<void> {
  const situation = await alongside(mover, () => lookAround(mover));
  if (situation === null) return;
  const state = stateOf(mover);
  const { request, operation } = state;
  const targetIds = targetsOf(mover);
  // Who came since they were counted is found at the end, by the fresh count.
  const left = wantedLeft(state) ?? situation.sourceUsers - openRemaining(state);
  const users = roundSize(operation.originalCount, request.stepRatio, Math.max(0, left));
  const wish = { sourceId: request.sourceId, targetIds, users };
  const selection = selectTargets(situation.candidates, wish);
  // Moves that others began to nobody who may take users are given up, not waited for.
  if (users > 0 && selection.quotas.length === 0 && request.cause !== 'foreign') {
    await awaitTarget(mover, situation, selection);
    return;
  }
  const input = roundInput(mover, situation, users, selection.quotas);
  const round = await moverActivities.planRound(input);
  mover.state = addRound(become(stateOf(mover), 'running', null), round);
  await saveSoon(mover);
}

/** False: what was sent before leaves no room for more. */
export async function sendPlanned(mover: Mover): Promise<boolean> {
  const { openChunks } = stateOf(mover);
  const all = openChunks.filter((chunk) => !chunk.isSent);
  const unsent = all.some((chunk) => chunk.isCounted === true) ? all.slice(0, 1) : all;
  const isStale = staleWhileSending(mover);
  const room = { limits: mover.limits, onTheWay: onTheWay(openChunks) };
  const control: LaneControl = {
    isHeld: () => mover.isHeld() || isStale(),
    speedPercent: () => mover.inbox.speedPercent,
    inflowOfOthers: () => mover.inflowOfOthers,
    async awaitOthers() {
      await condition(() => mover.isHeld(), OTHERS_INTERVAL_MS);
      const { sourceId } = stateOf(mover).request;
      mover.inflowOfOthers = await moverActivities.readInflowOfOthers({ sourceId });
    },
    async onMoved(moved) {
      mover.state = addMoved(stateOf(mover), moved, Date.now());
      await mover.save({ isUrgent: false });
    },
  };
  const hadRoom = await alongside(mover, () => runLanes(stateOf(mover), unsent, room, control));
  await mover.save({ isUrgent: false });
  return hadRoom;
}

/**
 * Looks after what was sent and has not ended: tries again or forces what `check_user_moves` says, and
 * otherwise reads where the users live now.
 */
export async function settleOpen(mover: Mover): Promise<void> {
  const { inbox } = mover;
  const hasWork = (): boolean => inbox.retryChunks.length + inbox.forceChunks.length > 0;
  await condition(() => hasWork() || mover.isHeld(), SETTLE_INTERVAL_MS);
  if (inbox.wish !== null) return;
  const sent = (): OpenChunk[] => stateOf(mover).openChunks.filter((chunk) => chunk.isSent);
  const waiting = sent();
  // Side by side, as they were sent: a source that hangs would else cost its time-out for each of them.
  const lane = async (): Promise<void> => {
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      if (inbox.wish !== null) return;
      await visitChunk(mover, chunk, takeFollowUp(inbox, chunk.chunk));
    }
  };
  await allEnded(Array.from({ length: LANES }, lane));
  dropEndedFollowUps(inbox, sent());
  await mover.save({ isUrgent: false });
}

/**
 * All that was planned has ended: is the source really empty? Counted afresh, then set offline where the
 * request says so, and counted once more; whoever is left is swept up, at last by force.
 * Source: controller documentation: "Evacuate all users, when no users then set Backend OFFLINE".
 *
 * @returns true where the operation is over.
 */
export async function verifyEnd(mover: Mover): Promise<boolean> {
  const { request } = stateOf(mover);
  const epoch = epochOf(stateOf(mover));
  mover.state = become(stateOf(mover), 'verifying', null);
  await mover.save({ isUrgent: true });
  if (request.maxUsers === null) {
    const backendId = request.sourceId;
    if ((await moverActivities.countUsers({ backendId })) > 0) return sweepAgain(mover);
    if (mover.isHeld()) return false;
    if (request.endsOffline) {
      await moverActivities.changeStatus({ backendId, status: 'offline', epoch });
      if ((await moverActivities.countUsers({ backendId })) > 0) return sweepAgain(mover);
    }
  }
  if (!request.endsOffline && patched(REOPENED_WHEN_EMPTY)) await reopenSource(mover);
  await closeBook(mover, 'done', whyFewer(stateOf(mover)));
  return true;
}

/** Fewer were found than were asked for and live there: the others rest after their last move. Null: all were found. */
function whyFewer({ request, operation, planned }: MoverState): string | null {
  const { maxUsers, minLastMovedSecs } = request;
  const { originalCount } = operation;
  if (maxUsers === null || minLastMovedSecs === null || planned >= originalCount) return null;
  return `UsersResting (${planned} of ${originalCount})`;
}

function sweepAgain(mover: Mover): false {
  const state = become(stateOf(mover), 'running', null);
  const sweeps = state.sweeps + 1;
  const isForced = state.request.isForced || sweeps >= SWEEPS_BEFORE_FORCE;
  const request = { ...state.request, isForced };
  const again = { cursor: null, isExhausted: false, roundPlanned: 0, known: null };
  mover.state = { ...state, ...again, request, sweeps };
  return false;
}
