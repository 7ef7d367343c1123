/** How an operation ends: stopped, given up, overtaken or done, and who is told. */
import { ActivityFailure, condition, patched } from '@temporalio/workflow';
import { moverActivities, moverRecords } from '../activity-options.ts';
import type { MoverInbox } from '../contract.ts';
import { isAutomatic } from '../domain/operation.ts';
import { become, openBook, openRemaining, toRow } from './book.ts';
import { epochOf, stateOf, type Mover } from './mover.ts';
import { SETTLE_INTERVAL_MS, visitChunk } from './visit-chunk.ts';

const HOLD_AFTER_CANCEL_SECS = 3_600;

/** Stops and keeps what is moved: nothing is sent any more, what is on its way is waited for. */
export async function endMoves(mover: Mover, wish: NonNullable<MoverInbox['wish']>): Promise<void> {
  while (openRemaining(stateOf(mover)) > 0) {
    for (const chunk of stateOf(mover).openChunks) await visitChunk(mover, chunk, 'cancel');
    if (openRemaining(stateOf(mover)) > 0) await condition(() => false, SETTLE_INTERVAL_MS);
  }
  const { request } = stateOf(mover);
  const epoch = epochOf(stateOf(mover));
  const backendId = request.sourceId;
  await audit(mover, wish.end === 'done' ? 'end' : wish.end, wish);
  if (request.maxUsers === null && wish.end !== 'superseded') {
    await moverRecords.setAcceptNewUsers({ backendId, isAccepting: true, epoch });
  }
  const isByOperator = wish.end === 'cancelled' && wish.actor !== 'check_backend_health';
  const holdSecs = wish.holdSecs ?? HOLD_AFTER_CANCEL_SECS;
  if (isByOperator && isAutomatic(request.cause) && holdSecs > 0) {
    const untilMs = Date.now() + holdSecs * 1000;
    await moverRecords.holdAutomation({ backendId, untilMs, epoch });
  }
  await closeBook(mover, wish.end, wish.reason === '' ? wish.actor : wish.reason);
}

/** Every request that was accepted ends with a row that says so, also one that never began. */
export async function endOvertaken(mover: Mover): Promise<void> {
  for (const request of mover.inbox.overtaken) {
    const nowMs = Date.now();
    const ended = become(openBook(request, nowMs), 'superseded', 'Overtaken');
    const operation = { ...ended.operation, endedAtMs: nowMs };
    const row = toRow({ ...ended, operation }, mover.inbox, nowMs);
    await moverActivities.saveOperation(row, { epoch: request.epoch ?? null });
  }
  mover.inbox.overtaken = [];
}

/** Whoever gives up must not leave the source shut to new users. */
export async function reopenSource(mover: Mover): Promise<void> {
  const { maxUsers, sourceId } = stateOf(mover).request;
  if (maxUsers !== null) return;
  try {
    const open = { backendId: sourceId, isAccepting: true, epoch: epochOf(stateOf(mover)) };
    await moverRecords.setAcceptNewUsers(open);
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
  const epoch = epochOf(stateOf(mover));
  await moverRecords.auditControl({ actor, action, operationId, sourceHost, reason, atMs, epoch });
}

/** The row must say what the ledger says, also where the store forgot some of it: then the ledger counts. */
async function closeLedger(mover: Mover): Promise<void> {
  const { request, nextChunk } = stateOf(mover);
  if (nextChunk === 0 || !patched('closes-ledger')) return;
  const { operationId } = request;
  const epoch = epochOf(stateOf(mover));
  const closed = await moverActivities.closeLedger({ operationId, chunks: nextChunk, epoch });
  if (closed.reopened > 0) mover.state = { ...stateOf(mover), closed: closed.counts };
}

export async function closeBook(
  mover: Mover,
  end: 'done' | 'cancelled' | 'superseded' | 'failed',
  reason: string | null,
): Promise<void> {
  if (end !== 'failed') await closeLedger(mover);
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
