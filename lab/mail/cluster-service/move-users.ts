/**
 * Moves users off this Backend. For each: mark the move, end the sessions, write the new home. The
 * writes of one attempt carry its timestamp, so that an attempt that was overtaken (while this
 * process was frozen, say) writes nothing that counts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import type { BackendRow, Home } from './geodb.ts';
import { describeError } from './log.ts';

export interface MoveOrder {
  readonly target: BackendRow;
  readonly minLastMovedSecs: number | null;
  /** null: one from the clock, above that of the present home. */
  readonly timestampMicros: number | null;
  readonly moveId: string;
  readonly maxParallel: number;
  /** Aborted when whoever gave the order has hung up: then no further user is begun. */
  readonly signal: AbortSignal;
}

export interface MoveResult {
  readonly user: string;
  readonly result: 'moved' | 'skipped' | 'failed';
  /** Why it was skipped or failed. */
  readonly error: string | null;
}

/**
 * Of the users that an order allows at a time, this share may be without their sessions: of 100 that
 * is 8, which keeps a Backend busy, and lets the clients log in again about as fast as they are cut.
 */
const DEPARTING_SHARE = 0.08;
const SESSIONS_DEADLINE_MS = 5000;
/** A session takes some milliseconds to end; one that is still there after all of these is kicked again. */
const LOOK_AFTER_MS = [3, 10, 30, 60];
/** After a thaw, orders whose sender has long gone are read before their end is. */
const WAKE_SETTLE_MS = 300;

/** Answers when each user is done or has failed; never rejects for one user. */
export async function moveUsers(
  usernames: AsyncIterable<string> | Iterable<string>,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  if (Date.now() - context.sleep.wokeAtMs < WAKE_SETTLE_MS) await pause(WAKE_SETTLE_MS);
  const atStart = await context.sessions.readUsers();
  const results: MoveResult[] = [];
  const waiting = iterate(usernames);
  const departing = Math.round(order.maxParallel * DEPARTING_SHARE);
  const work = async () => {
    for (;;) {
      const next = await waiting.next();
      if (next.done === true || order.signal.aborted) return;
      const { value: username } = next;
      const hadSessions = atStart.has(username);
      const depart = () => leave(username, hadSessions, order, context);
      results.push(await (hadSessions ? context.departures.pass(departing, depart) : depart()));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, order.maxParallel) }, work));
  await endLateSessions(results, context);
  for (const { result } of results) context.metrics.add('dovekeeper_moves', { result });
  return results;
}

async function* iterate(usernames: AsyncIterable<string> | Iterable<string>) {
  yield* usernames;
}

/** Logins that come meanwhile wait for the end; whoever is not yet on his way is served as ever. */
async function leave(
  username: string,
  hadSessions: boolean,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult> {
  // He may have waited at the gate until whoever asked for it was gone.
  if (order.signal.aborted) return { user: username, result: 'skipped', error: 'hung up' };
  const move = moveOne(username, hadSessions, order, context);
  context.leaving.set(username, move);
  const result = await move;
  if (context.leaving.get(username) === move) context.leaving.delete(username);
  return result;
}

async function moveOne(
  username: string,
  hadSessions: boolean,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult> {
  const answer = (result: MoveResult['result'], error: string | null = null) => ({
    user: username,
    result,
    error,
  });
  try {
    const own = readOwnBackend(context);
    const { epoch } = context.sleep;
    const home = await context.geodb.readHome(username);
    const refusal = refuse(home, own.id, order);
    if (home === null || refusal !== null) return answer('skipped', refusal);
    const micros = order.timestampMicros ?? Math.max(nowMicros(), home.writtenAtMicros) + 1;
    const targetId = order.target.id;
    await context.geodb.beginMove({ username, targetId, token: order.moveId, micros });
    const isFree = await endSessions(username, hadSessions, context);
    if (!isFree) {
      await context.geodb.dropMove(username, micros + 1);
      return answer('failed', 'sessions do not end');
    }
    if (epoch !== context.sleep.epoch && (await isOvertaken(username, own.id, micros, context))) {
      return answer('skipped', 'superseded');
    }
    await writeHome(home, micros, order, context);
    return answer('moved');
  } catch (error) {
    return answer('failed', describeError(error));
  }
}

/** Why this user is not moved; null: go on. */
function refuse(home: Home | null, ownId: string, order: MoveOrder): string | null {
  if (home === null) return 'unknown user';
  if (home.backendId !== ownId) return 'lives elsewhere';
  if (order.target.id === ownId) return 'lives there already';
  const stamp = order.timestampMicros;
  if (stamp !== null && stamp + 1 <= home.writtenAtMicros) return 'superseded';
  const minAgeMs = (order.minLastMovedSecs ?? 0) * 1000;
  if (home.lastMovedMs !== null && Date.now() - home.lastMovedMs < minAgeMs) {
    return 'moved lately';
  }
  return null;
}

/** False: they are still there after the deadline. */
async function endSessions(username: string, hadSessions: boolean, context: BackendContext) {
  if (!hadSessions) {
    const here = await context.sessions.readUsers();
    if (!here.has(username)) return true;
  }
  const { doveadm } = context;
  const deadlineMs = performance.now() + SESSIONS_DEADLINE_MS;
  while (performance.now() < deadlineMs) {
    await doveadm.kick(username);
    for (const waitMs of LOOK_AFTER_MS) {
      await pause(waitMs);
      if ((await doveadm.who(username)).length === 0) return true;
    }
  }
  return false;
}

/** We slept in between: somebody else may have moved the user meanwhile. */
async function isOvertaken(
  username: string,
  ownId: string,
  micros: number,
  { geodb }: BackendContext,
) {
  const home = await geodb.readHome(username);
  return home === null || home.backendId !== ownId || home.writtenAtMicros > micros;
}

async function writeHome(home: Home, micros: number, order: MoveOrder, context: BackendContext) {
  const { username, backendId } = home;
  const end = { username, targetId: order.target.id, sourceId: backendId, micros: micros + 1 };
  context.sweeper.watch(username);
  await context.geodb.endMove(end).catch(async (error: unknown) => {
    // The answer was lost, perhaps not the write: the home tells.
    const now = await context.geodb.readHome(username);
    if (now?.writtenAtMicros !== end.micros || now.backendId !== end.targetId) throw error;
  });
  context.homeChanges.append({
    user: username,
    from: context.host,
    to: order.target.host,
    timestampMicros: micros + 1,
    cause: 'batchMove',
    moveId: order.moveId,
  });
}

/** One look after the last write; the sweeper goes on looking for those that come later. */
async function endLateSessions(results: readonly MoveResult[], context: BackendContext) {
  const moved = results.filter(({ result }) => result === 'moved').map(({ user }) => user);
  if (moved.length === 0) return;
  const here = await context.sessions.readUsers().catch(() => new Set<string>());
  const late = moved.filter((user) => here.has(user));
  await Promise.all(late.map((user) => context.doveadm.kick(user).catch(() => undefined)));
}

const nowMicros = () => Date.now() * 1000;
