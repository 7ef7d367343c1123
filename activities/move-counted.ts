/**
 * Moves users off a source that takes no list: it is told how many, and chooses them itself. Who they
 * were is found by comparing the homes before and after, and then written into the ledger.
 */
import { GatewayError } from '../gateways/gateway-error.ts';
import {
  planRow,
  type ChunkInFlight,
  type LedgerRow,
  type UserHome,
} from '../workflows/domain/user-move.ts';
import { claimRoom } from './claim-room.ts';
import type { ActivityContext } from './context.ts';
import { forceRows } from './force-rows.ts';
import { assertAwake, withHeartbeat } from './heartbeat.ts';
import { readKnownBackend } from './known-backend.ts';
import {
  ARRIVAL_MS,
  cancelRows,
  summarize,
  type CountedChunk,
  type MoveChunkInput,
  type MovedChunk,
} from './move-chunk.ts';
import { saveRows } from './save-rows.ts';
import { countRows, isOpen, merge, settleRow } from './settle-rows.ts';
import { assertOwnsSite } from './site-owner.ts';
import type { FindSilence } from './source-silence.ts';
import { runWatchedBatch } from './watched-batch.ts';

const PAGE_SIZE = 1_000;
/** A source that has answered may still be at it; after this it moves no more than it has moved. */
const RELEASE_AFTER_MS = 5_000;

type CountedInput = MoveChunkInput & { readonly counted: CountedChunk };

/** What is known of a chunk: the rows of those who were found, and what was asked of the source. */
interface Chunk {
  rows: LedgerRow[];
  attempts: number;
  sentAtMs: number;
  answeredAtMs: number | null;
  /** The source moves no more than it has moved, or nobody wants it any more. */
  isReleased: boolean;
}

export async function moveCounted(
  context: ActivityContext,
  input: CountedInput,
  findSilence: FindSilence,
): Promise<MovedChunk> {
  return withHeartbeat(async (signal) => {
    await assertOwnsSite(context, input);
    const chunk = await readChunk(context, input);
    let refusal: string | null = null;
    let isSourceSilent = false;
    if (chunk.attempts > 0) await nameMoved(context, input, chunk);
    if (input.mode === 'cancel') await cancelChunk(context, chunk);
    else if (input.mode === 'check' || hasGivenAll(chunk)) release(chunk);
    else if (openUsers(input, chunk) > 0 && !(await hasRoom(context, input, chunk))) {
      return { ...toMoved(input, chunk, { refusal, isSourceSilent }), isHeldBack: true };
    } else if (openUsers(input, chunk) > 0) {
      refusal = await findSilence(input.sourceHost, input);
      isSourceSilent = refusal !== null;
      if (input.mode === 'force' || isSourceSilent) {
        await forceRest(context, input, chunk, { isSourceSilent });
      } else refusal = await sendCount(context, input, chunk, signal);
      await nameMoved(context, input, chunk);
    }
    await noteInFlight(context, input, chunk);
    return toMoved(input, chunk, { refusal, isSourceSilent });
  });
}

async function readChunk(context: ActivityContext, input: CountedInput): Promise<Chunk> {
  const [rows, notes] = await Promise.all([
    context.store.readLedgerChunk(input.operationId, input.chunk),
    context.store.readChunksInFlight(input.siteName),
  ]);
  const note = notes.find(
    ({ operationId, chunk }) => operationId === input.operationId && chunk === input.chunk,
  );
  const { answeredAtMs } = input.counted;
  const { attempts = 0, sentAtMs = 0 }: Partial<ChunkInFlight> = note ?? {};
  return { rows, attempts, sentAtMs, answeredAtMs, isReleased: false };
}

/** Whoever was asked for before is on his way already. */
async function hasRoom(
  { store }: ActivityContext,
  input: CountedInput,
  chunk: Chunk,
): Promise<boolean> {
  const { room, siteName, sourceId, operationId, counted } = input;
  if (room === undefined || chunk.attempts > 0) return true;
  const key = { siteName, sourceId, operationId, chunk: input.chunk };
  const claim = { ...key, targetId: counted.targetId, remaining: openUsers(input, chunk) };
  return claimRoom(store, claim, room);
}

/** Those who were not found yet. */
function unnamed(input: CountedInput, { rows, isReleased }: Chunk): number {
  return isReleased ? 0 : Math.max(0, input.counted.users - rows.length);
}

function openUsers(input: CountedInput, chunk: Chunk): number {
  return chunk.rows.filter(isOpen).length + unnamed(input, chunk);
}

/** Null: the source says that it did what it was asked. */
async function sendCount(
  context: ActivityContext,
  input: CountedInput,
  chunk: Chunk,
  signal: AbortSignal,
): Promise<string | null> {
  const { operationId, sourceHost, counted } = input;
  const target = await readKnownBackend(context, counted.targetId);
  const known = await context.store.readHomesBefore(operationId, input.chunk);
  if (known === null) {
    const present = await readPresent(context, input.sourceId);
    const staying = present.filter(({ isMoving }) => !isMoving);
    const names = staying.map(({ username }) => username);
    await context.store.saveHomesBefore(operationId, input.chunk, names);
  }
  chunk.attempts += 1;
  chunk.sentAtMs = Date.now();
  await noteInFlight(context, input, chunk);
  const maxUsers = unnamed(input, chunk);
  // Those on the way cannot be asked for again by count.
  if (maxUsers === 0) return null;
  assertAwake();
  try {
    const batch = {
      sourceId: input.sourceId,
      sourceHost,
      targetHost: target.host,
      usernames: [],
      maxUsers,
      minLastMovedSecs: input.minLastMovedSecs,
      maxParallel: input.maxParallel,
      moveTimestampMicros: Date.now() * 1000 + 1,
    };
    await runWatchedBatch(context, batch, signal);
    chunk.answeredAtMs = Date.now();
    return null;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.system !== 'doveadm') throw error;
    const { code, message } = error;
    const fields = { operationId, chunk: input.chunk, backend: sourceHost, code, message };
    context.logger.warn(fields, 'source did not carry out a batch move');
    return code;
  }
}

/** Whoever lived there before and lives on the target now was moved; whoever is on the way is open. */
async function nameMoved(
  context: ActivityContext,
  input: CountedInput,
  chunk: Chunk,
): Promise<void> {
  const { operationId, sourceId, counted } = input;
  const before = (await context.store.readHomesBefore(operationId, input.chunk)) ?? [];
  const present = new Map(
    (await readPresent(context, sourceId)).map((home) => [home.username, home]),
  );
  const named = new Set(chunk.rows.map(({ username }) => username));
  const hasLeft = (username: string): boolean => {
    const home = present.get(username);
    return home === undefined || (home.isMoving && home.altBackendId === counted.targetId);
  };
  const leavers = before.filter((username) => !named.has(username) && hasLeft(username));
  const open = chunk.rows.filter(isOpen).map(({ username }) => username);
  const homes = await context.geodb.readUsers([...leavers, ...open]);
  const found = leavers
    .map((username) => homes.get(username))
    .filter((home) => home !== undefined)
    .filter(({ backendId, isMoving }) => backendId === counted.targetId || isMoving)
    .sort((a, b) => a.homeWrittenAtMicros - b.homeWrittenAtMicros)
    .slice(0, unnamed(input, chunk))
    .map(({ username, homeWrittenAtMicros, isMoving }): LedgerRow => ({
      ...plannedRow(input, username),
      state: 'sent',
      attempts: Math.max(1, chunk.attempts),
      moveTimestampMicros: isMoving ? null : homeWrittenAtMicros,
      sentAtMs: chunk.sentAtMs,
    }));
  const nowMs = Date.now();
  const settled = [...chunk.rows, ...found].map((row): LedgerRow => {
    if (!isOpen(row)) return row;
    const ended = settleRow(row, homes.get(row.username), nowMs);
    const isByCount = ended.state === 'confirmed' && !ended.isForced;
    return isByCount ? { ...ended, reason: 'CountFallback' } : ended;
  });
  const changed = settled.filter((row) => !chunk.rows.includes(row));
  chunk.rows = settled;
  if (changed.length === 0) return;
  await saveRows(context, changed);
  const { confirmed, skipped } = countRows(changed);
  context.metrics.countMoves(input.kind, input.cause, 'confirmed', confirmed);
  context.metrics.countMoves(input.kind, input.cause, 'skipped', skipped);
}

/** A forced move needs no list: the first who live there are taken, written down, and forced. */
async function forceRest(
  context: ActivityContext,
  input: CountedInput,
  chunk: Chunk,
  source: { readonly isSourceSilent: boolean },
): Promise<void> {
  const isAnswered = chunk.answeredAtMs !== null;
  const rest = isAnswered ? 0 : unnamed(input, chunk);
  const named = new Set(chunk.rows.map(({ username }) => username));
  const present = rest === 0 ? [] : await readPresent(context, input.sourceId);
  const planned = present
    .filter(({ username }) => !named.has(username))
    .slice(0, rest)
    .map(({ username }) => plannedRow(input, username));
  await saveRows(context, planned);
  // Fewer live there than were planned: there is nobody else to wait for.
  chunk.isReleased = isAnswered || planned.length < rest;
  const all = [...chunk.rows, ...planned];
  chunk.rows = merge(all, await forceRows(context, input, all, source));
  chunk.attempts += 1;
  chunk.sentAtMs = Date.now();
}

async function cancelChunk(context: ActivityContext, chunk: Chunk): Promise<void> {
  chunk.rows = await cancelRows(context, chunk.rows);
  chunk.isReleased = Date.now() - chunk.sentAtMs > ARRIVAL_MS;
}

/** It did what it was asked: whoever is left may not go (cool time), so nobody asks for him again. */
function hasGivenAll({ answeredAtMs, rows }: Chunk): boolean {
  return answeredAtMs !== null && !rows.some(isOpen);
}

function release(chunk: Chunk): void {
  const isOver = Date.now() - (chunk.answeredAtMs ?? Date.now()) > RELEASE_AFTER_MS;
  chunk.isReleased = isOver && hasGivenAll(chunk);
}

async function readPresent(context: ActivityContext, sourceId: string): Promise<UserHome[]> {
  const present: UserHome[] = [];
  let cursor: string | null = null;
  do {
    const page = await context.geodb.pageUsers(sourceId, { limit: PAGE_SIZE, cursor });
    present.push(...page.users);
    cursor = page.cursor;
  } while (cursor !== null);
  return present;
}

function plannedRow(input: CountedInput, username: string): LedgerRow {
  const { operationId, chunk, sourceId, counted } = input;
  return planRow({ operationId, chunk, username, sourceId, targetId: counted.targetId });
}

async function noteInFlight(
  context: ActivityContext,
  input: CountedInput,
  chunk: Chunk,
): Promise<void> {
  const { siteName, sourceId, operationId, counted } = input;
  const remaining = openUsers(input, chunk);
  if (remaining === 0) {
    await context.store.removeChunkInFlight(siteName, sourceId, operationId, input.chunk);
    return;
  }
  await context.store.saveChunkInFlight({
    ...{ siteName, sourceId, operationId, chunk: input.chunk, targetId: counted.targetId },
    ...{ remaining, attempts: chunk.attempts, sentAtMs: chunk.sentAtMs },
  });
}

function toMoved(
  input: CountedInput,
  chunk: Chunk,
  source: Pick<MovedChunk, 'refusal' | 'isSourceSilent'>,
): MovedChunk {
  const named = summarize(input.chunk, chunk.rows);
  const rest = unnamed(input, chunk);
  const counts = {
    ...named.counts,
    planned: named.counts.planned + rest,
    remaining: named.counts.remaining + rest,
  };
  const { attempts, answeredAtMs } = chunk;
  return { ...named, ...source, counts, attempts, answeredAtMs };
}
