/** The steps of an operation, in the order in which they come. */
import { ActivityFailure, condition } from '@temporalio/workflow';
import { moverActivities, moverRecords } from '../activity-options.ts';
import type { MoverInbox, MoverState, OpenChunk } from '../contract.ts';
import { assert } from '../domain/assert.ts';
import { isAutomatic } from '../domain/operation.ts';
import { LANES, roundSize } from '../policy/plan-evacuation.ts';
import { selectTargets } from '../policy/select-targets.ts';
import type { MoveSituation } from '../../activities/move-users.ts';
import {
  addMoved,
  addRound,
  become,
  openBook,
  openRemaining,
  toRow,
  usersKnown,
  wantedLeft,
} from './book.ts';
import { dropEndedFollowUps, takeFollowUp } from './inbox.ts';
import { atSpeed, runLanes, sendChunk } from './lanes.ts';
import type { Mover } from './mover.ts';
import { roundInput } from './round-input.ts';

const SETTLE_INTERVAL_MS = 1_000;
const NO_TARGET_WAIT_MS = 5_000;
const OTHERS_INTERVAL_MS = 500;
/** After so many sweeps the users who are still there are forced. */
const SWEEPS_BEFORE_FORCE = 2;
const HOLD_AFTER_CANCEL_SECS = 3_600;

function stateOf(mover: Mover): MoverState {
  assert(mover.state !== null, 'a step belongs to an operation');
  return mover.state;
}

export async function beginMoves(mover: Mover): Promise<void> {
  const state = stateOf(mover);
  if (state.operation.state !== 'planned') return;
  const { sourceId, maxUsers } = state.request;
  const users = await moverActivities.countUsers({ backendId: sourceId });
  if (maxUsers === null) {
    await moverRecords.setAcceptNewUsers({ backendId: sourceId, isAccepting: false });
  }
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
  await mover.save({ isUrgent: true });
}

/** Reads the world again, selects targets, and writes the next round into the ledger. */
export async function planNext(mover: Mover): Promise<void> {
  const { request, operation } = stateOf(mover);
  const targetIds = mover.inbox.targetIds ?? request.targetIds;
  const { sourceId } = request;
  const knownUsers = usersKnown(stateOf(mover), Date.now());
  const countedAtMs = Date.now();
  const wanted = { sourceId, knownUsers, targetIds };
  const situation = await moverActivities.readMoveSituation(wanted);
  if (knownUsers === null) noteCounts(mover, situation, countedAtMs);
  mover.limits = situation.settings;
  // absent in the answers of older workers
  mover.inflowOfOthers = (situation as Partial<MoveSituation>).inflowOfOthers ?? {};
  const hold = findHold(stateOf(mover), situation);
  if (hold !== null) {
    mover.inbox.pause ??= { actor: 'mover', reason: hold, isByAutomation: true };
    return;
  }
  const state = stateOf(mover);
  // Who came since they were counted is found at the end, by the fresh count.
  const left = wantedLeft(state) ?? situation.sourceUsers - openRemaining(state);
  const users = roundSize(operation.originalCount, request.stepRatio, Math.max(0, left));
  const wish = { sourceId, targetIds, users };
  const { quotas, refused } = selectTargets(situation.candidates, wish);
  // Moves that others began to nobody who may take users are given up, not waited for.
  if (users > 0 && quotas.length === 0 && request.cause !== 'foreign') {
    const known = new Set(situation.candidates.map(({ backendId }) => backendId));
    const reasons = [
      ...refused.map(({ host, refusal }) => `${host}: ${refusal}`),
      ...targetIds.filter((id) => !known.has(id)).map((id) => `${id}: Unknown`),
    ];
    const why = `NoTargetLeft (${reasons.join(', ')})`;
    mover.state = { ...become(state, 'running', why), known: null };
    await mover.save({ isUrgent: true });
    await condition(() => mover.isHeld(), NO_TARGET_WAIT_MS);
    return;
  }
  const input = roundInput(mover, situation, users, quotas);
  const round = await moverActivities.planRound(input);
  mover.state = addRound(become(stateOf(mover), 'running', null), round);
  await mover.save({ isUrgent: true });
}

function noteCounts(mover: Mover, situation: MoveSituation, countedAtMs: number): void {
  const { candidates, sourceUsers } = situation;
  const counts = candidates.map(({ backendId, userCount }) => [backendId, userCount] as const);
  const { sourceId } = stateOf(mover).request;
  const users = { ...Object.fromEntries(counts), [sourceId]: sourceUsers };
  mover.state = { ...stateOf(mover), known: { countedAtMs, users } };
}

/** Why automation may not go on by itself; null: it may. Drains know only the site's switch. */
function findHold(state: MoverState, situation: MoveSituation): string | null {
  const { cause } = state.request;
  if (!isAutomatic(cause)) return null;
  if (situation.automation === 'paused') return 'AutomationPaused';
  if (cause === 'drain') return null;
  const isBalancing = cause === 'rebalance';
  const feature = isBalancing ? 'BackendLoadBalancing' : 'BackendHealthAutoHandling';
  return situation.features[feature] === 'enabled' ? null : 'FeatureDisabled';
}

export async function sendPlanned(mover: Mover): Promise<void> {
  const all = stateOf(mover).openChunks.filter((chunk) => !chunk.isSent);
  const unsent = all.some((chunk) => chunk.isCounted === true) ? all.slice(0, 1) : all;
  await runLanes(stateOf(mover), unsent, mover.limits, {
    isHeld: () => mover.isHeld(),
    speedPercent: () => mover.inbox.speedPercent,
    inflowOfOthers: () => mover.inflowOfOthers,
    async awaitOthers() {
      await condition(() => mover.isHeld(), OTHERS_INTERVAL_MS);
      const { sourceId } = stateOf(mover).request;
      mover.inflowOfOthers = await moverRecords.readInflowOfOthers({ sourceId });
    },
    async onMoved(moved) {
      mover.state = addMoved(stateOf(mover), moved, Date.now());
      await mover.save({ isUrgent: false });
    },
  });
  await mover.save({ isUrgent: false });
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
  await Promise.all(Array.from({ length: LANES }, lane));
  dropEndedFollowUps(inbox, sent());
  await mover.save({ isUrgent: false });
}

async function visitChunk(
  mover: Mover,
  chunk: OpenChunk,
  mode: 'send' | 'force' | 'check' | 'cancel',
): Promise<void> {
  const limits = atSpeed(mover.limits, mover.inbox.speedPercent);
  const moved = await sendChunk(stateOf(mover), chunk, mode, limits);
  mover.state = addMoved(stateOf(mover), moved, Date.now());
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
  mover.state = become(stateOf(mover), 'verifying', null);
  await mover.save({ isUrgent: true });
  if (request.maxUsers === null) {
    const backendId = request.sourceId;
    if ((await moverActivities.countUsers({ backendId })) > 0) return sweepAgain(mover);
    if (mover.isHeld()) return false;
    if (request.endsOffline) {
      await moverActivities.changeStatus({ backendId, status: 'offline' });
      if ((await moverActivities.countUsers({ backendId })) > 0) return sweepAgain(mover);
    }
  }
  await closeBook(mover, 'done', null);
  return true;
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

/** Stops and keeps what is moved: nothing is sent any more, what is on its way is waited for. */
export async function endMoves(mover: Mover, wish: NonNullable<MoverInbox['wish']>): Promise<void> {
  while (openRemaining(stateOf(mover)) > 0) {
    for (const chunk of stateOf(mover).openChunks) await visitChunk(mover, chunk, 'cancel');
    if (openRemaining(stateOf(mover)) > 0) await condition(() => false, SETTLE_INTERVAL_MS);
  }
  const { request } = stateOf(mover);
  const backendId = request.sourceId;
  await audit(mover, wish.end === 'done' ? 'end' : wish.end, wish);
  if (request.maxUsers === null && wish.end !== 'superseded') {
    await moverRecords.setAcceptNewUsers({ backendId, isAccepting: true });
  }
  const isByOperator = wish.end === 'cancelled' && wish.actor !== 'check_backend_health';
  const holdSecs = wish.holdSecs ?? HOLD_AFTER_CANCEL_SECS;
  if (isByOperator && isAutomatic(request.cause) && holdSecs > 0) {
    const untilMs = Date.now() + holdSecs * 1000;
    await moverRecords.holdAutomation({ backendId, untilMs });
  }
  await closeBook(mover, wish.end, wish.reason === '' ? wish.actor : wish.reason);
}

/** Every request that was accepted ends with a row that says so, also one that never began. */
export async function endOvertaken(mover: Mover): Promise<void> {
  for (const request of mover.inbox.overtaken) {
    const nowMs = Date.now();
    const ended = become(openBook(request, nowMs), 'superseded', 'Overtaken');
    const operation = { ...ended.operation, endedAtMs: nowMs };
    await moverRecords.saveOperation(toRow({ ...ended, operation }, mover.inbox, nowMs));
  }
  mover.inbox.overtaken = [];
}

/** Whoever gives up must not leave the source shut to new users. */
export async function reopenSource(mover: Mover): Promise<void> {
  const { maxUsers, sourceId } = stateOf(mover).request;
  if (maxUsers !== null) return;
  try {
    await moverRecords.setAcceptNewUsers({ backendId: sourceId, isAccepting: true });
  } catch (failure) {
    // Refused for good, as was what made it give up: that is the failure to be told.
    if (!(failure instanceof ActivityFailure)) throw failure;
  }
}

/** Who made an operation stop or go on, also where it was a bare signal of the `temporal` CLI. */
export async function audit(
  mover: Mover,
  verb: string,
  by: { readonly actor: string; readonly reason: string },
): Promise<void> {
  const { operationId, sourceHost } = stateOf(mover).request;
  const { actor, reason } = by;
  const action = `operation.${verb}`;
  const atMs = Date.now();
  await moverRecords.auditControl({ actor, action, operationId, sourceHost, reason, atMs });
}

export async function closeBook(
  mover: Mover,
  end: 'done' | 'cancelled' | 'superseded' | 'failed',
  reason: string | null,
): Promise<void> {
  let state = stateOf(mover);
  if (end === 'done' && state.operation.state !== 'verifying') {
    if (state.operation.state === 'planned') state = become(state, 'running', null);
    state = become(state, 'verifying', null);
  }
  const ended = become(state, end, reason);
  mover.state = { ...ended, operation: { ...ended.operation, endedAtMs: Date.now() } };
  await mover.save({ isUrgent: true });
  mover.inbox.wish = null;
  mover.inbox.pause = null;
}
