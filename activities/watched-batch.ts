/** One batch move, waited for as long as it gets on: a source may accept it and never answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../gateways/gateway-error.ts';
import type { BatchMoveRequest } from '../gateways/doveadm/doveadm.ts';
import type { UserHomeWithWriteTime } from '../workflows/domain/user-move.ts';
import { judgeBatch, SILENT_SECS } from '../workflows/policy/judge-batch.ts';
import type { ActivityContext } from './context.ts';

/** Below the time that an activity may take. */
const LONGEST_BATCH_MS = 90_000;
const LOOK_EVERY_MS = 1_000;
/** Before that nobody counts as silent, and most chunks are done: their homes need not be read for it. */
const FIRST_LOOK_MS = SILENT_SECS * 1_000;
const ANSWER_TIMEOUT_MS = 1_500;
/** Homes that one look reads; the next look goes on with the others. */
const HOMES_A_LOOK = 64;
/** Chunks are planned in the order in which a Backend's users are read: whoever moves stands among the first. */
const FIRST_USERS = 1_000;

export type WatchedBatch = Omit<BatchMoveRequest, 'timeoutMs' | 'signal'> & {
  readonly sourceId: string;
};

/** Throws GatewayError{doveadm, Timeout} where nothing moves any more, and whatever `batchMove` throws. */
export async function runWatchedBatch(
  context: ActivityContext,
  batch: WatchedBatch,
  signal: AbortSignal,
): Promise<void> {
  const { sourceId, ...request } = batch;
  const stop = new AbortController();
  const hungUp = new GatewayError(`doveadm of ${batch.sourceHost}: nothing moves any more`, {
    system: 'doveadm',
    operation: 'batchMove',
    subject: batch.sourceHost,
    code: 'Timeout',
    isTemporary: true,
  });
  const either = AbortSignal.any([signal, stop.signal]);
  const moved = context.doveadm
    .batchMove({ ...request, timeoutMs: LONGEST_BATCH_MS, signal: either })
    .finally(() => stop.abort());
  const watched = watch(context, { ...request, sourceId }, either).then((isStuck) => {
    if (isStuck) stop.abort(hungUp);
  });
  await Promise.all([moved, watched]);
}

/** True: nothing moves any more. False: it is over. */
async function watch(
  context: ActivityContext,
  { sourceId, sourceHost, usernames }: WatchedBatch,
  signal: AbortSignal,
): Promise<boolean> {
  const look = createLook(context, sourceId, usernames);
  let progressAtMs = Date.now();
  const readFirst = async (): Promise<Set<string>> => {
    const { users } = await context.geodb.pageUsers(sourceId, { limit: FIRST_USERS, cursor: null });
    return new Set(users.map(({ username }) => username));
  };
  let firstBefore: Set<string> | null = null;
  // Where users are only counted, the first look says nothing by itself.
  let waitMs = usernames.length === 0 ? LOOK_EVERY_MS : FIRST_LOOK_MS;
  while (await isStillWaiting(waitMs, signal)) {
    waitMs = LOOK_EVERY_MS;
    try {
      const { hasChanged, isAnyMoving } = await look();
      if (hasChanged) {
        progressAtMs = Date.now();
        firstBefore = null;
        continue;
      }
      firstBefore ??= await readFirst();
      const stillSecs = (Date.now() - progressAtMs) / 1000;
      if (stillSecs < SILENT_SECS) continue;
      const isAnswering = await context.doveadm.isAnswering(sourceHost, ANSWER_TIMEOUT_MS);
      if (judgeBatch({ stillSecs, isAnyMoving, isAnswering }) === 'wait') continue;
      // A source that does one command after the other is at work for another chunk.
      const first = await readFirst();
      const isAtWork = [...firstBefore].some((username) => !first.has(username));
      if (!isAnswering || !isAtWork) return !signal.aborted;
      firstBefore = first;
      progressAtMs = Date.now();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      // Blind ourselves: what cannot be seen is no reason to give up.
      progressAtMs = Date.now();
    }
  }
  return false;
}

async function isStillWaiting(waitMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(waitMs, undefined, { signal });
    return true;
  } catch {
    // The only way in which a sleep fails is that it is over.
    return false;
  }
}

/** Whether a home changed since the last look at it; where nobody is named, whether fewer live there. */
function createLook(
  { geodb }: ActivityContext,
  sourceId: string,
  usernames: readonly string[],
): () => Promise<{ hasChanged: boolean; isAnyMoving: boolean }> {
  let users: number | null = null;
  if (usernames.length === 0) {
    return async () => {
      const now = await geodb.countUsers(sourceId);
      const hasChanged = users !== null && now < users;
      users = now;
      return { hasChanged, isAnyMoving: false };
    };
  }
  const seen = new Map<string, string>();
  const moving = new Set<string>();
  let place = 0;
  return async () => {
    const names = usernames.slice(place, place + HOMES_A_LOOK);
    place = place + HOMES_A_LOOK >= usernames.length ? 0 : place + HOMES_A_LOOK;
    let hasChanged = false;
    for (const [username, home] of await geodb.readUsers(names)) {
      const now = stateOf(home);
      hasChanged ||= (seen.get(username) ?? `${sourceId}/false`) !== now;
      seen.set(username, now);
      if (home.isMoving) moving.add(username);
      else moving.delete(username);
    }
    return { hasChanged, isAnyMoving: moving.size > 0 };
  };
}

function stateOf({ backendId, isMoving }: UserHomeWithWriteTime): string {
  return `${backendId}/${String(isMoving)}`;
}
