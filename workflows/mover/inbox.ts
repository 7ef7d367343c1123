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
  type ControlMessage,
  type MoveAnswer,
  type MoveRequest,
  type MoverInbox,
} from '../contract.ts';
import { isAutomatic, outranks } from '../domain/operation.ts';

/** Signals of the `temporal` CLI name no actor. */
const NO_ACTOR = 'temporal-cli';
const AUTOMATION = 'check_backend_health';

export function emptyInbox(): MoverInbox {
  return {
    waiting: null,
    pause: null,
    lastActor: NO_ACTOR,
    wish: null,
    speedPercent: 100,
    targetIds: null,
    retryChunks: [],
    forceChunks: [],
  };
}

/** @param running the request that is being carried out; null: none. */
export function listen(inbox: MoverInbox, running: () => MoveRequest | null): void {
  const isMeant = ({ operationId }: { readonly operationId: string | null }): boolean =>
    operationId === null || operationId === running()?.operationId;
  setHandler(requestMoves, (request) => answerRequest(inbox, running(), request));
  setHandler(pauseSignal, (message) => {
    if (isMeant(message)) pause(inbox, message);
  });
  setHandler(resumeSignal, (message) => {
    if (!isMeant(message) || inbox.pause === null) return;
    if (message.actor === AUTOMATION && !inbox.pause.isByAutomation) return;
    inbox.pause = null;
    inbox.lastActor = signed(message).actor;
  });
  setHandler(cancelSignal, (message) => {
    if (isMeant(message)) inbox.wish ??= { end: 'cancelled', ...signed(message) };
  });
  setHandler(endEarlySignal, (message) => {
    if (isMeant(message)) inbox.wish ??= { end: 'done', ...signed(message) };
  });
  setHandler(setSpeedSignal, (message) => {
    if (isMeant(message)) inbox.speedPercent = Math.min(100, Math.max(1, message.speedPercent));
  });
  setHandler(retargetSignal, (message) => {
    if (isMeant(message)) inbox.targetIds = message.targetIds;
  });
  setHandler(followUpSignal, (message) => {
    if (!isMeant(message)) return;
    inbox.retryChunks = [...new Set([...inbox.retryChunks, ...message.retryChunks])];
    inbox.forceChunks = [...new Set([...inbox.forceChunks, ...message.forceChunks])];
  });
}

/**
 * One handler answers every request: accepted, refused or superseding. A higher cause supersedes, an
 * equal or lower one is refused; automation never supersedes what an operator paused.
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
  const isHeldByOperator = inbox.pause !== null && !inbox.pause.isByAutomation;
  if (isHeldByOperator && isAutomatic(request.cause)) return refuse('PausedByOperator');
  if (!outranks(request.cause, ahead.cause)) return refuse('OperationRunning');
  inbox.waiting = request;
  if (running !== null) {
    inbox.wish ??= { end: 'superseded', actor: request.requestedBy, reason: operationId };
    inbox.pause = null;
  }
  return { answer: 'superseding', operationId, supersededId: ahead.operationId };
}

function pause(inbox: MoverInbox, message: ControlMessage): void {
  const isByAutomation = message.actor === AUTOMATION;
  if (isByAutomation && inbox.pause !== null) return;
  const { actor, reason } = signed(message);
  const text = `${actor}: ${reason}`;
  inbox.pause = { actor, reason: isByAutomation ? reason : text, isByAutomation };
}

function signed(message: ControlMessage): { actor: string; reason: string } {
  return { actor: message.actor ?? NO_ACTOR, reason: message.reason ?? '' };
}
