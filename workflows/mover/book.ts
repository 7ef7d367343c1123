/** The books of a mover: pure functions from one state of a running operation to the next. */
import type { MovedChunk } from '../../activities/move-chunk.ts';
import type { PlannedRound } from '../../activities/plan-round.ts';
import type { MoverInbox, MoverState, MoveRequest, OpenChunk, TakenUp } from '../contract.ts';
import { assert } from '../domain/assert.ts';
import {
  canBecome,
  type MoveOrder,
  type Operation,
  type OperationState,
} from '../domain/operation.ts';
import { addMoveCounts, NO_MOVES, type MoveCounts } from '../domain/user-move.ts';
import { isRoundOver } from '../policy/plan-evacuation.ts';
import { addConfirmed } from './known-users.ts';

export type Step = 'send' | 'plan' | 'settle' | 'verify';

export function openBook(request: MoveRequest, nowMs: number): MoverState {
  const { takenUp } = request;
  const operation: Operation = {
    operationId: request.operationId,
    siteName: request.siteName,
    kind: request.kind,
    cause: request.cause,
    sourceId: request.sourceId,
    sourceHost: request.sourceHost,
    targetIds: request.targetIds,
    state: 'planned',
    stateReason: null,
    requestedBy: request.requestedBy,
    reason: request.reason,
    decisionId: request.decisionId,
    originalCount: 0,
    round: 0,
    counts: NO_MOVES,
    stuck: 0,
    forced: 0,
    speedPercent: request.speedPercent ?? 100,
    createdAtMs: nowMs,
    startedAtMs: null,
    firstConfirmedAtMs: null,
    endedAtMs: null,
    updatedAtMs: nowMs,
    order: orderOf(request),
  };
  return {
    request,
    operation: takenUp === undefined ? operation : takeUp(operation, takenUp),
    cursor: null,
    isExhausted: false,
    nextChunk: 0,
    planned: 0,
    roundPlanned: 0,
    sweeps: 0,
    openChunks: [],
    closed: NO_MOVES,
    forcedClosed: 0,
  };
}

/** Goes on where the row says: what was paused stays paused, and nothing begins a second time. */
function takeUp(
  operation: Operation,
  { createdAtMs, startedAtMs, originalCount, speedPercent, pause }: TakenUp,
): Operation {
  const since = { createdAtMs, startedAtMs, originalCount, speedPercent };
  if (pause === null || startedAtMs === null) return { ...operation, ...since };
  return { ...operation, ...since, state: 'paused', stateReason: pause.reason };
}

function orderOf(request: MoveRequest): MoveOrder {
  const { maxUsers, stepRatio, minLastMovedSecs, endsOffline, isForced } = request;
  const { selectionId = null } = request;
  return { maxUsers, stepRatio, minLastMovedSecs, endsOffline, isForced, selectionId };
}

/** Moves the operation on to another state, by the one table of allowed transitions. */
export function become(state: MoverState, to: OperationState, reason: string | null): MoverState {
  const from = state.operation.state;
  assert(from === to || canBecome(from, to), `an operation cannot go from ${from} to ${to}`);
  return { ...state, operation: { ...state.operation, state: to, stateReason: reason } };
}

/** Users on their way or yet to be sent, of the chunks that are in the ledger. */
export function openRemaining(state: MoverState): number {
  return state.openChunks.reduce((sum, chunk) => sum + chunk.counts.remaining, 0);
}

/** Rounds overlap by the stragglers: the next one starts when 95 % of the last has ended. */
export function nextStep(state: MoverState): Step {
  // One after the other: two commands by count would mean the same users.
  if (state.openChunks.some((chunk) => chunk.isSent && chunk.isCounted === true)) return 'settle';
  if (state.openChunks.some((chunk) => !chunk.isSent)) return 'send';
  const remaining = openRemaining(state);
  if (!state.isExhausted && isRoundOver(state.roundPlanned, remaining)) return 'plan';
  return remaining > 0 ? 'settle' : 'verify';
}

/** Users who were sent and have not ended, by target. */
export function onTheWay(chunks: readonly OpenChunk[]): Map<string, number> {
  const users = new Map<string, number>();
  for (const { isSent, targetId, counts } of chunks) {
    if (isSent) users.set(targetId, (users.get(targetId) ?? 0) + counts.remaining);
  }
  return users;
}

export function addRound(state: MoverState, round: PlannedRound): MoverState {
  const chunks = round.chunks.map(({ chunk, targetId, users, isCounted }): OpenChunk => {
    const counts: MoveCounts = { ...NO_MOVES, planned: users, remaining: users };
    const opened = { chunk, targetId, counts, forced: 0, attempts: 0, isSent: false, sentAtMs: 0 };
    return isCounted === true ? { ...opened, isCounted } : opened;
  });
  const users = chunks.reduce((sum, chunk) => sum + chunk.counts.planned, 0);
  const isAll = wantedLeft({ ...state, planned: state.planned + users }) === 0;
  return {
    ...state,
    openChunks: [...state.openChunks, ...chunks],
    cursor: round.cursor,
    isExhausted: round.isExhausted || users === 0 || isAll,
    nextChunk: round.nextChunk,
    planned: state.planned + users,
    roundPlanned: users,
    operation: { ...state.operation, round: state.operation.round + (users > 0 ? 1 : 0) },
  };
}

/** Users that were asked for and are not in the ledger yet; null: all that there are. */
export function wantedLeft(state: MoverState): number | null {
  const { maxUsers } = state.request;
  return maxUsers === null ? null : Math.max(0, maxUsers - state.planned);
}

export function addMoved(state: MoverState, moved: MovedChunk, sentAtMs: number): MoverState {
  const former = state.openChunks.find((chunk) => chunk.chunk === moved.chunk);
  if (former === undefined) return state;
  const isClosed = moved.counts.remaining === 0;
  const others = state.openChunks.filter((chunk) => chunk.chunk !== moved.chunk);
  const { counts, forced, attempts } = moved;
  // A look at a chunk that was never sent does not send it.
  const isSent = former.isSent || attempts > 0;
  const answered = moved.answeredAtMs == null ? {} : { answeredAtMs: moved.answeredAtMs };
  const still: OpenChunk = { ...former, counts, forced, attempts, isSent, sentAtMs, ...answered };
  const first = earliest(state.operation.firstConfirmedAtMs, moved.firstConfirmedAtMs);
  const stateReason = sourceTrouble(state, moved) ?? state.operation.stateReason;
  return {
    ...state,
    ...learned(state, former, moved),
    openChunks: isClosed ? others : [...others, still].sort((a, b) => a.chunk - b.chunk),
    closed: isClosed ? addMoveCounts(state.closed, counts) : state.closed,
    forcedClosed: state.forcedClosed + (isClosed ? forced : 0),
    known: addConfirmed(state, former.targetId, counts.confirmed - former.counts.confirmed),
    operation: { ...state.operation, firstConfirmedAtMs: first, stateReason },
  };
}

/**
 * A source that moves fewer than it was asked for has no more that it would move; one that had to be
 * overruled is not asked again.
 */
function learned(
  { request, isExhausted }: MoverState,
  former: OpenChunk,
  moved: MovedChunk,
): Pick<MoverState, 'request' | 'isExhausted'> {
  if (former.isCounted !== true) return { request, isExhausted };
  const isOverruled = moved.forced > 0 && !moved.isSourceSilent;
  return {
    request: isOverruled ? { ...request, isForced: true } : request,
    isExhausted: isExhausted || moved.counts.planned < former.counts.planned,
  };
}

/** What is wrong with the source, in the row until the next round; null: nothing, or not the time to say. */
function sourceTrouble({ operation }: MoverState, moved: MovedChunk): string | null {
  if (moved.refusal === null || operation.state !== 'running') return null;
  return `${moved.isSourceSilent ? 'SourceSilent' : 'SourceRefused'} (${moved.refusal})`;
}

/** The row for API and UI: planned = confirmed + skipped + failed + remaining, always. */
export function toRow(state: MoverState, inbox: MoverInbox, nowMs: number): Operation {
  const { operation } = state;
  const ledger = state.openChunks.reduce(
    (sum, chunk) => addMoveCounts(sum, chunk.counts),
    state.closed,
  );
  const isEnded = operation.endedAtMs !== null;
  const planned = isEnded ? ledger.planned : Math.max(ledger.planned, operation.originalCount);
  const remaining = planned - ledger.confirmed - ledger.skipped - ledger.failed;
  const tried = state.openChunks.filter((chunk) => chunk.attempts > 1);
  return {
    ...operation,
    counts: { ...ledger, planned, remaining },
    stuck: tried.reduce((sum, chunk) => sum + chunk.counts.remaining, 0),
    forced: state.openChunks.reduce((sum, chunk) => sum + chunk.forced, state.forcedClosed),
    speedPercent: inbox.speedPercent,
    targetIds: inbox.targetIds ?? state.request.targetIds,
    updatedAtMs: nowMs,
  };
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
