/** What others ask of a mover. Handlers only write down the wish; the main loop acts on it. */
import { setHandler } from '@temporalio/workflow';
import {
  cancelSignal,
  endEarlySignal,
  followUpSignal,
  pauseSignal,
  requestMoves,
  resumeSignal,
  retargetSignal,
  setSpeedSignal,
  wakeSignal,
  type ControlMessage,
  type FollowUpMessage,
  type MoveAnswer,
  type MoveRequest,
  type MoverInbox,
  type OpenChunk,
  type RetargetMessage,
  type SpeedMessage,
} from '../contract.ts';
import { isAutomatic, outranks } from '../domain/operation.ts';

/** Signals of the `temporal` CLI name no actor. */
const NO_ACTOR = 'temporal-cli';
const AUTOMATION = 'check_backend_health';

export function emptyInbox(): MoverInbox {
  return {
    waiting: null,
    overtaken: [],
    pause: null,
    lastActor: NO_ACTOR,
    wish: null,
    speedPercent: 100,
    targetIds: null,
    retryChunks: [],
    forceChunks: [],
  };
}

/**
 * A signal of the `temporal` CLI may come with less than its type says, or with nothing at all: it means
 * whatever runs, and what it does not say is left as it is. A handler must never throw.
 *
 * @param running the request that is being carried out; null: none.
 */
export function listen(inbox: MoverInbox, running: () => MoveRequest | null): void {
  const isMeant = (message: Partial<ControlMessage> | undefined): boolean => {
    const operationId = message?.operationId ?? null;
    return operationId === null || operationId === running()?.operationId;
  };
  setHandler(wakeSignal, () => undefined);
  setHandler(requestMoves, (request) => answerRequest(inbox, running(), request));
  setHandler(pauseSignal, (message: ControlMessage | undefined) => {
    if (isMeant(message)) pause(inbox, message);
  });
  setHandler(resumeSignal, (message: ControlMessage | undefined) => {
    if (!isMeant(message) || inbox.pause === null) return;
    if (message?.actor === AUTOMATION && !inbox.pause.isByAutomation) return;
    inbox.pause = null;
    inbox.lastActor = signed(message).actor;
  });
  setHandler(cancelSignal, (message: ControlMessage | undefined) => {
    if (isMeant(message)) {
      const holdSecs = message?.holdSecs;
      const hold = Number.isFinite(holdSecs) ? { holdSecs: holdSecs ?? 0 } : {};
      inbox.wish ??= { end: 'cancelled', ...signed(message), ...hold };
    }
  });
  setHandler(endEarlySignal, (message: ControlMessage | undefined) => {
    if (isMeant(message)) inbox.wish ??= { end: 'done', ...signed(message) };
  });
  setHandler(setSpeedSignal, (message: Partial<SpeedMessage> | undefined) => {
    const wanted = message?.speedPercent;
    if (!isMeant(message) || !Number.isFinite(wanted)) return;
    inbox.speedPercent = Math.min(100, Math.max(1, wanted ?? 100));
    noteForAudit(inbox, 'speed', message);
  });
  setHandler(retargetSignal, (message: Partial<RetargetMessage> | undefined) => {
    const wanted = message?.targetIds;
    if (!isMeant(message) || !Array.isArray(wanted)) return;
    inbox.targetIds = wanted;
    inbox.isRetargeted = true;
    noteForAudit(inbox, 'retarget', message);
  });
  setHandler(followUpSignal, (message: Partial<FollowUpMessage> | undefined) => {
    if (!isMeant(message)) return;
    const { retryChunks = [], forceChunks = [] } = message ?? {};
    inbox.retryChunks = [...new Set([...inbox.retryChunks, ...retryChunks])];
    inbox.forceChunks = [...new Set([...inbox.forceChunks, ...forceChunks])];
  });
}

/** What `check_user_moves` wants done about a chunk, taken out of the inbox; `check`: nothing. */
export function takeFollowUp(inbox: MoverInbox, chunk: number): 'send' | 'force' | 'check' {
  const isForced = inbox.forceChunks.includes(chunk);
  const isRetried = inbox.retryChunks.includes(chunk);
  inbox.forceChunks = inbox.forceChunks.filter((each) => each !== chunk);
  inbox.retryChunks = inbox.retryChunks.filter((each) => each !== chunk);
  if (isForced) return 'force';
  return isRetried ? 'send' : 'check';
}

/** A chunk may have ended while the message about it was on its way: nobody would ever take that out. */
export function dropEndedFollowUps(inbox: MoverInbox, open: readonly OpenChunk[]): void {
  const isOpen = (chunk: number): boolean => open.some((each) => each.chunk === chunk);
  inbox.retryChunks = inbox.retryChunks.filter(isOpen);
  inbox.forceChunks = inbox.forceChunks.filter(isOpen);
}

/**
 * One handler answers every request: accepted, refused or superseding. A higher cause supersedes, an
 * equal or lower one is refused; automation never supersedes what an operator paused. What was begun
 * under an older claim of the site is in nobody's way: another owner has ended it, or takes it up.
 */
export function answerRequest(
  inbox: MoverInbox,
  running: MoveRequest | null,
  request: MoveRequest,
): MoveAnswer {
  const { operationId } = request;
  const ahead = inbox.waiting ?? running;
  if (ahead === null || ahead.operationId === operationId || running?.operationId === operationId) {
    if (ahead === null) inbox.waiting = request;
    return { answer: 'accepted', operationId };
  }
  const refuse = (reason: string): MoveAnswer => ({
    answer: 'refused',
    runningId: ahead.operationId,
    reason,
  });
  if (!isOfOlderClaim(ahead, request)) {
    const isHeldByOperator = inbox.pause !== null && !inbox.pause.isByAutomation;
    if (isHeldByOperator && isAutomatic(request.cause)) return refuse('PausedByOperator');
    if (!outranks(request.cause, ahead.cause)) return refuse('OperationRunning');
  }
  if (inbox.waiting !== null) inbox.overtaken = [...inbox.overtaken, inbox.waiting];
  inbox.waiting = request;
  if (running !== null) {
    inbox.wish ??= { end: 'superseded', actor: request.requestedBy, reason: operationId };
    inbox.pause = null;
  }
  return { answer: 'superseding', operationId, supersededId: ahead.operationId };
}

function noteForAudit(
  inbox: MoverInbox,
  verb: string,
  message: Partial<ControlMessage> | undefined,
): void {
  const { actor = NO_ACTOR, reason = '' } = message ?? {};
  inbox.toAudit = [...(inbox.toAudit ?? []), { verb, actor, reason }];
}

function isOfOlderClaim(ahead: MoveRequest, request: MoveRequest): boolean {
  return ahead.epoch != null && request.epoch != null && ahead.epoch < request.epoch;
}

function pause(inbox: MoverInbox, message: ControlMessage | undefined): void {
  const isByAutomation = message?.actor === AUTOMATION;
  if (isByAutomation && inbox.pause !== null) return;
  const { actor, reason } = signed(message);
  const text = `${actor}: ${reason}`;
  inbox.pause = { actor, reason: isByAutomation ? reason : text, isByAutomation };
}

function signed(message: ControlMessage | undefined): { actor: string; reason: string } {
  return { actor: message?.actor ?? NO_ACTOR, reason: message?.reason ?? '' };
}
