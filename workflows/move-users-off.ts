/** The one mover: every evacuation, partial, batch, forced or balancing move off one Backend. */
import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { moverActivities } from './activity-options.ts';
import {
  explainQuery,
  progressQuery,
  type MoverInput,
  type MoverPause,
  type MoverState,
} from './contract.ts';
import { causeOf } from './failure-cause.ts';
import { become, nextStep, openBook, toRow } from './mover/book.ts';
import { emptyInbox, listen } from './mover/inbox.ts';
import { heedSignals } from './mover/heed-signals.ts';
import { mayStillSend } from './mover/look-around.ts';
import { audit, closeBook, endMoves, endOvertaken, reopenSource } from './mover/ends.ts';
import { beginMoves, planNext, sendPlanned, settleOpen, verifyEnd } from './mover/steps.ts';
import { DEFAULT_LIMITS } from './mover/lanes.ts';
import { saveSoon, type Mover } from './mover/mover.ts';

const FIRST_REQUEST_MS = 10_000;
/**
 * Between two rounds, once the history has grown: the server holds every continued run back until the
 * former one is a second old, so that continuing after each small round would cost a second each. The worker
 * that takes the place of a killed one reads the history once more before it goes on.
 */
const CONTINUE_AFTER_EVENTS = 300;
/** As it was: histories that were recorded with it go on with it. */
const FORMERLY_AFTER_EVENTS = 1_000;
const MAX_STEPS_IN_A_RUN = 400;
const SAVE_INTERVAL_MS = 1_000;

/**
 * Its workflow id is the lock of the source Backend. Requests reach it by update-with-start; it carries
 * one out after the other and ends when nothing is asked of it any more.
 */
export async function moveUsersOff(input: MoverInput): Promise<void> {
  const mover = createMover(input);
  void CancellationScope.current().cancelRequested.catch(() => {
    mover.inbox.wish ??= { end: 'cancelled', actor: 'temporal-cli', reason: 'workflow cancelled' };
  });
  await CancellationScope.nonCancellable(() => serve(mover, input));
}

async function serve(mover: Mover, input: MoverInput): Promise<void> {
  // The request that started this workflow reaches it a moment after its start.
  let waitMs = FIRST_REQUEST_MS;
  for (;;) {
    const outcome = await serveOne(mover, waitMs);
    if (outcome === 'idle') return;
    waitMs = 1;
    if (outcome === 'ended') {
      mover.state = null;
      continue;
    }
    await condition(allHandlersFinished);
    await continueAsNew<typeof moveUsersOff>({
      siteName: input.siteName,
      sourceId: input.sourceId,
      sourceHost: input.sourceHost,
      current: mover.state,
      inbox: mover.inbox,
    });
  }
}

/** `idle`: nobody wants anything. */
async function serveOne(mover: Mover, waitMs: number): Promise<'idle' | 'ended' | 'continue'> {
  try {
    if (mover.state === null && !(await takeRequest(mover, waitMs))) return 'idle';
    return await carryOutSafely(mover);
  } catch (failure) {
    if (!isNotTheOwner(failure)) throw failure;
    // Whoever owns the site now takes the operation up; a later request may be under the claim that holds.
    mover.inbox.overtaken = [];
    return 'ended';
  }
}

function hasLongHistory(): boolean {
  const { historyLength } = workflowInfo();
  if (historyLength <= CONTINUE_AFTER_EVENTS) return false;
  return historyLength > FORMERLY_AFTER_EVENTS || patched('continues-sooner');
}

function isNotTheOwner(failure: unknown): boolean {
  if (!(failure instanceof ActivityFailure)) return false;
  const { cause } = failure;
  return cause instanceof ApplicationFailure && cause.type === 'NotTheOwner';
}

function createMover(input: MoverInput): Mover {
  const inbox = input.inbox ?? emptyInbox();
  let savedAtMs = 0;
  let isSaving = false;
  const mover: Mover = {
    state: input.current ?? null,
    inbox,
    limits: DEFAULT_LIMITS,
    inflowOfOthers: {},
    lookedAtMs: 0,
    isUnsaved: false,
    isHeld: () => inbox.pause !== null || inbox.wish !== null || inbox.isRetargeted === true,
    async save({ isUrgent }) {
      if (mover.state === null || (!isUrgent && isSaving)) return;
      if (!isUrgent && Date.now() - savedAtMs < SAVE_INTERVAL_MS) return;
      savedAtMs = Date.now();
      isSaving = true;
      mover.isUnsaved = false;
      const row = toRow(mover.state, inbox, savedAtMs);
      setCurrentDetails(explain(mover.state, inbox));
      const { epoch = null } = mover.state.request;
      try {
        await moverActivities.saveOperation(row, { epoch });
      } finally {
        isSaving = false;
      }
    },
  };
  listen(inbox, () => mover.state?.request ?? null);
  setHandler(progressQuery, () =>
    mover.state === null ? null : toRow(mover.state, inbox, Date.now()),
  );
  setHandler(explainQuery, () => (mover.state === null ? 'idle' : explain(mover.state, inbox)));
  return mover;
}

/** False: nobody wants anything. */
async function takeRequest(mover: Mover, waitMs: number): Promise<boolean> {
  await condition(() => mover.inbox.waiting !== null && allHandlersFinished(), waitMs);
  await endOvertaken(mover);
  const request = mover.inbox.waiting;
  if (request === null) return false;
  Object.assign(mover.inbox, emptyInbox());
  const { takenUp } = request;
  if (takenUp !== undefined) {
    mover.inbox.pause = takenUp.startedAtMs === null ? null : takenUp.pause;
  }
  mover.state = openBook(request, Date.now());
  mover.inbox.speedPercent = mover.state.operation.speedPercent;
  await saveSoon(mover);
  return true;
}

/** A refusal that no retry helps ends the operation as failed. */
async function carryOutSafely(mover: Mover): Promise<'ended' | 'continue'> {
  try {
    return await carryOut(mover);
  } catch (failure) {
    if (!(failure instanceof ActivityFailure) || isNotTheOwner(failure)) throw failure;
    await reopenSource(mover);
    await closeBook(mover, 'failed', causeOf(failure));
    return 'ended';
  }
}

async function carryOut(mover: Mover): Promise<'ended' | 'continue'> {
  await stayPaused(mover);
  await beginMoves(mover);
  for (let step = 0; step < MAX_STEPS_IN_A_RUN; step += 1) {
    const state = mover.state;
    if (state === null) return 'ended';
    if (mover.inbox.wish !== null) {
      await endMoves(mover, mover.inbox.wish);
      return 'ended';
    }
    if (mover.inbox.pause !== null) {
      await standStill(mover, mover.inbox.pause, { isNew: true });
      continue;
    }
    await heedSignals(mover);
    const { retryChunks, forceChunks } = mover.inbox;
    const isFollowedUp = retryChunks.length + forceChunks.length > 0;
    switch (isFollowedUp ? 'settle' : nextStep(state)) {
      case 'send':
        if (!(await mayStillSend(mover))) break;
        // Where what was sent leaves no room, it is looked after first.
        if (!(await sendPlanned(mover))) await settleOpen(mover);
        break;
      case 'settle':
        await settleOpen(mover);
        break;
      case 'plan':
        if (hasLongHistory()) return continueSaved(mover);
        await planNext(mover);
        break;
      case 'verify':
        if (await verifyEnd(mover)) return 'ended';
    }
  }
  return continueSaved(mover);
}

/** The next run knows of no row that is behind. */
async function continueSaved(mover: Mover): Promise<'continue'> {
  if (mover.isUnsaved) await mover.save({ isUrgent: true });
  return 'continue';
}

/** An operation that was taken up paused goes on being paused, and began before. */
async function stayPaused(mover: Mover): Promise<void> {
  const { state, inbox } = mover;
  if (state?.request.takenUp === undefined || inbox.pause === null) return;
  if (state.operation.state === 'paused') await standStill(mover, inbox.pause, { isNew: false });
}

async function standStill(
  mover: Mover,
  pause: MoverPause,
  { isNew }: { readonly isNew: boolean },
): Promise<void> {
  if (mover.state === null) return;
  mover.state = become(mover.state, 'paused', pause.reason);
  await mover.save({ isUrgent: true });
  if (isNew) await audit(mover, 'pause', pause);
  const { inbox } = mover;
  await condition(() => inbox.pause?.reason !== pause.reason || inbox.wish !== null);
  if (inbox.pause !== null || inbox.wish !== null) return;
  mover.lookedAtMs = 0;
  mover.state = become(mover.state, 'running', null);
  await mover.save({ isUrgent: true });
  await audit(mover, 'resume', { actor: inbox.lastActor, reason: '' });
}

function explain(state: MoverState, inbox: Mover['inbox']): string {
  const { counts, round, state: now, stateReason } = toRow(state, inbox, Date.now());
  const { planned, confirmed, skipped, failed, remaining } = counts;
  const why = stateReason === null ? '' : ` (${stateReason})`;
  const sums = `${confirmed} confirmed, ${skipped} skipped, ${failed} failed, ${remaining} remaining`;
  return `${now}${why}, round ${round}: ${planned} planned = ${sums}`;
}
