/** Moves the users of one chunk, or looks how far they are. Only movers call it, so only they write the ledger. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { OperationCause, OperationKind } from '../workflows/domain/operation.ts';
import type { LedgerRow, MoveCounts } from '../workflows/domain/user-move.ts';
import { attemptTimestamp } from './attempt-timestamp.ts';
import { claimRoom, type Room } from './claim-room.ts';
import type { ActivityContext } from './context.ts';
import { forceRows } from './force-rows.ts';
import { assertAwake, isRepeat, withHeartbeat } from './heartbeat.ts';
import { readKnownBackend } from './known-backend.ts';
import { readHomesLately, type Looked } from './read-homes.ts';
import { saveRows } from './save-rows.ts';
import { countRows, isOpen, merge, settleRow } from './settle-rows.ts';
import { assertOwnsSite } from './site-owner.ts';
import type { FindSilence } from './source-silence.ts';
import { runWatchedBatch } from './watched-batch.ts';

const ANSWER_TIMEOUT_MS = 1_500;
const DISCOVERY_MAX_AGE_MS = 30_000;
/** A cancelled move that was sent longer ago than this will not arrive any more. */
export const ARRIVAL_MS = 3_000;

export interface MoveChunkInput {
  readonly siteName: string;
  readonly operationId: string;
  readonly chunk: number;
  readonly sourceId: string;
  readonly sourceHost: string;
  readonly kind: OperationKind;
  readonly cause: OperationCause;
  /**
   * `send`: ask the source. `force`: write homes and end sessions. `check`: only look.
   * `cancel`: end what is not moved; what is on its way gets a moment to arrive.
   */
  readonly mode: 'send' | 'force' | 'check' | 'cancel';
  readonly maxParallel: number;
  readonly minLastMovedSecs: number | null;
  /** Another target than the ledger says, for rows that were not sent yet; absent: as it says. */
  readonly targetId?: string;
  /** A chunk whose users the source chooses; absent: they are in the ledger. */
  readonly counted?: CountedChunk;
  /** For a chunk that is sent for the first time; absent: nobody else is asked. */
  readonly room?: Room;
  readonly epoch?: number | null;
}

export interface CountedChunk {
  readonly users: number;
  readonly targetId: string;
  /** When the source said that it had done what it was asked; null: not yet. */
  readonly answeredAtMs: number | null;
}

export interface MovedChunk {
  readonly chunk: number;
  readonly counts: MoveCounts;
  readonly forced: number;
  readonly attempts: number;
  /** The source's doveadm did not answer, so the users were forced over at once. */
  readonly isSourceSilent: boolean;
  readonly firstConfirmedAtMs: number | null;
  /** Code of what was wrong with the source: silent, or refusing to move; null: nothing. */
  readonly refusal: string | null;
  /** Of a counted chunk: when the source answered; absent or null: not yet. */
  readonly answeredAtMs?: number | null;
  /** Others are on their way to the target: nothing was sent, and all is as it was planned. Absent: no. */
  readonly isHeldBack?: boolean;
}

export async function moveChunk(
  context: ActivityContext,
  input: MoveChunkInput,
  findSilence: FindSilence,
): Promise<MovedChunk> {
  return withHeartbeat(async (signal) => {
    const [read] = await Promise.all([readRows(context, input), assertOwnsSite(context, input)]);
    const looked = await settle(context, input, await retarget(context, input, read));
    const done = await carryOut(context, input, looked, { findSilence, signal });
    const { rows, isSourceSilent = false, refusal = null, isHeldBack = false } = done;
    await noteInFlight(context, input, rows);
    const moved = { ...summarize(input.chunk, rows), isSourceSilent, refusal };
    return isHeldBack ? { ...moved, isHeldBack } : moved;
  });
}

type Outcome = { readonly rows: LedgerRow[] } & Partial<
  Pick<MovedChunk, 'isSourceSilent' | 'refusal' | 'isHeldBack'>
>;

async function carryOut(
  context: ActivityContext,
  input: MoveChunkInput,
  looked: Looked & { readonly rows: LedgerRow[] },
  means: { readonly findSilence: FindSilence; readonly signal: AbortSignal },
): Promise<Outcome> {
  const { mode, kind, sourceHost } = input;
  if (mode === 'cancel') return { rows: await cancelRows(context, looked.rows) };
  if (mode === 'check' || !looked.rows.some(isOpen)) return { rows: looked.rows };
  const rows = kind === 'finishMoves' ? await dropEnded(context, looked.rows) : looked.rows;
  if (!(await hasRoom(context, input, rows))) return { rows, isHeldBack: true };
  const refusal = await means.findSilence(sourceHost, input);
  const isSourceSilent = refusal !== null;
  if (mode === 'force' || isSourceSilent) {
    const forced = await forceRows(context, input, rows, { isSourceSilent, looked });
    return { rows: (await settle(context, input, forced)).rows, isSourceSilent, refusal };
  }
  const sent = await sendRows(context, input, rows, { looked, signal: means.signal });
  return { rows: (await settle(context, input, sent.rows)).rows, refusal: sent.refusal };
}

/** Whoever was sent before is on his way already. */
async function hasRoom(
  { store }: ActivityContext,
  { room, siteName, sourceId, operationId, chunk }: MoveChunkInput,
  rows: readonly LedgerRow[],
): Promise<boolean> {
  const open = rows.filter(isOpen);
  const targetId = open[0]?.targetId;
  const wasSent = open.some(({ attempts }) => attempts > 0);
  if (room === undefined || targetId === undefined || wasSent) return true;
  const claim = { siteName, sourceId, operationId, chunk, targetId, remaining: open.length };
  return claimRoom(store, claim, room);
}

function readRows(context: ActivityContext, input: MoveChunkInput): Promise<LedgerRow[]> {
  return context.store.readLedgerChunk(input.operationId, input.chunk);
}

async function retarget(
  context: ActivityContext,
  { targetId }: MoveChunkInput,
  rows: readonly LedgerRow[],
): Promise<LedgerRow[]> {
  if (targetId === undefined) return [...rows];
  const changed = rows
    .filter((row) => row.state === 'planned' && row.targetId !== targetId)
    .map((row): LedgerRow => ({ ...row, targetId }));
  if (changed.length > 0) await saveRows(context, changed);
  return merge(rows, changed);
}

/** Reads where the open users live now: that alone ends a row, never a reply. */
async function settle(
  context: ActivityContext,
  input: MoveChunkInput,
  rows: readonly LedgerRow[],
): Promise<Looked & { rows: LedgerRow[] }> {
  const atMs = Date.now();
  const open = rows.filter(isOpen);
  const homes = await context.geodb.readUsers(open.map((row) => row.username));
  const looked = { atMs, homes };
  const nowMs = Date.now();
  const settled = rows.map((row) =>
    isOpen(row) ? settleRow(row, homes.get(row.username), nowMs) : row,
  );
  const changed = settled.filter((row, index) => row !== rows[index]);
  if (changed.length === 0) return { ...looked, rows: settled };
  await saveRows(context, changed);
  const { confirmed, skipped } = countRows(changed);
  context.metrics.countMoves(input.kind, input.cause, 'confirmed', confirmed);
  context.metrics.countMoves(input.kind, input.cause, 'skipped', skipped);
  return { ...looked, rows: settled };
}

export async function cancelRows(
  context: ActivityContext,
  rows: readonly LedgerRow[],
): Promise<LedgerRow[]> {
  const nowMs = Date.now();
  const cancelled = rows
    .filter((row) => isOpen(row) && nowMs - (row.sentAtMs ?? 0) > ARRIVAL_MS)
    .map((row): LedgerRow => ({ ...row, state: 'skipped', reason: 'Cancelled', endedAtMs: nowMs }));
  if (cancelled.length > 0) await saveRows(context, cancelled);
  return merge(rows, cancelled);
}

/** Whoever began a move may also have given it up meanwhile: then it is not ours to finish. */
async function dropEnded(
  context: ActivityContext,
  rows: readonly LedgerRow[],
): Promise<LedgerRow[]> {
  const unsent = rows.filter((row) => isOpen(row) && row.attempts === 0);
  const homes = await context.geodb.readUsers(unsent.map((row) => row.username));
  const endedAtMs = Date.now();
  const ended = unsent
    .filter((row) => homes.get(row.username)?.isMoving !== true)
    .map((row): LedgerRow => ({ ...row, state: 'skipped', reason: 'MoveEnded', endedAtMs }));
  if (ended.length > 0) await saveRows(context, ended);
  return merge(rows, ended);
}

async function sendRows(
  context: ActivityContext,
  input: MoveChunkInput,
  rows: readonly LedgerRow[],
  { looked, signal }: { readonly looked: Looked; readonly signal: AbortSignal },
): Promise<{ rows: LedgerRow[]; refusal: string | null }> {
  const open = rows.filter(isOpen);
  const [target, homes] = await Promise.all([
    readKnownBackend(context, open[0]?.targetId ?? ''),
    readHomesLately(context, open, looked),
  ]);
  assertAwake();
  const timestamp = attemptTimestamp(open, homes);
  const sentAtMs = Date.now();
  const isFirstTry = !isRepeat();
  const sent = open.map((row): LedgerRow => {
    const attempts = isFirstTry || row.attempts === 0 ? row.attempts + 1 : row.attempts;
    return { ...row, state: 'sent', attempts, moveTimestampMicros: timestamp, sentAtMs };
  });
  await saveRows(context, sent);
  const all = merge(rows, sent);
  await noteInFlight(context, input, all);
  try {
    const commands = await context.doveadm.readCommands(input.sourceHost, {
      timeoutMs: ANSWER_TIMEOUT_MS,
      maxAgeMs: DISCOVERY_MAX_AGE_MS,
    });
    if (commands.hasClusterCommands && !commands.hasUserList) refuseToName(input);
    const batch = {
      sourceId: input.sourceId,
      sourceHost: input.sourceHost,
      targetHost: target.host,
      usernames: sent.map((row) => row.username),
      minLastMovedSecs: input.minLastMovedSecs,
      maxParallel: input.maxParallel,
      moveTimestampMicros: timestamp,
    };
    await runWatchedBatch(context, batch, signal);
    return { rows: all, refusal: null };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.system !== 'doveadm') throw error;
    const { operationId, chunk, sourceHost } = input;
    const fields = { operationId, chunk, backend: sourceHost, code: error.code };
    const { message } = error;
    context.logger.warn({ ...fields, message }, 'source did not carry out a batch move');
    return { rows: all, refusal: error.code };
  }
}

/** A source that takes no list would choose other users than those in the ledger. */
function refuseToName({ sourceHost }: MoveChunkInput): never {
  throw new GatewayError(`doveadm of ${sourceHost} cannot be told which users to move`, {
    system: 'doveadm',
    operation: 'batchMove',
    isTemporary: false,
    code: 'UnknownCommand',
    subject: sourceHost,
  });
}

async function noteInFlight(
  context: ActivityContext,
  input: MoveChunkInput,
  rows: readonly LedgerRow[],
): Promise<void> {
  const { siteName, sourceId, operationId, chunk } = input;
  const open = rows.filter(isOpen);
  const first = open[0];
  if (first === undefined) {
    await context.store.removeChunkInFlight(siteName, sourceId, operationId, chunk);
    return;
  }
  await context.store.saveChunkInFlight({
    siteName,
    sourceId,
    operationId,
    chunk,
    targetId: first.targetId,
    remaining: open.length,
    attempts: Math.max(...open.map((row) => row.attempts)),
    sentAtMs: Math.max(...open.map((row) => row.sentAtMs ?? 0)),
  });
}

export function summarize(
  chunk: number,
  rows: readonly LedgerRow[],
): Omit<MovedChunk, 'isSourceSilent' | 'refusal'> {
  const confirmed = rows.filter((row) => row.state === 'confirmed');
  const times = confirmed.map((row) => row.endedAtMs ?? Number.MAX_SAFE_INTEGER);
  return {
    chunk,
    counts: countRows(rows),
    forced: confirmed.filter((row) => row.isForced).length,
    attempts: Math.max(0, ...rows.map((row) => row.attempts)),
    firstConfirmedAtMs: times.length === 0 ? null : Math.min(...times),
  };
}
