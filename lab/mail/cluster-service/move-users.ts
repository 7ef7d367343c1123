/**
 * Moves users off this Backend. For each: mark the move, end the sessions, write the new home; where
 * there is no session to end, the last of these is all. The writes of one attempt carry its timestamp, so that an attempt that was overtaken (while this
 * process was frozen, say) writes nothing that counts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import type { Home } from './geodb.ts';
import { endSessions } from './end-sessions.ts';
import { describeError } from './log.ts';
import {
  endOf,
  isOvertaken,
  logChange,
  microsOf,
  refuse,
  toResult,
  type MoveOrder,
  type MoveResult,
} from './move-order.ts';

/**
 * Of the users that an order allows at a time, this share may be without their sessions: of 100 that
 * is 8, which keeps a Backend busy, and lets the clients log in again about as fast as they are cut.
 */
const DEPARTING_SHARE = 0.08;
/** Users whose homes are read together. */
const GROUP = 25;
/** Cassandra warns of batches over more partitions than this. */
const WRITTEN_TOGETHER = 10;
/** After a thaw, orders whose sender has long gone are read before their end is. */
const WAKE_SETTLE_MS = 300;

/** Answers when each user is done or has failed; never rejects for one user. */
export async function moveUsers(
  usernames: AsyncIterable<string> | Iterable<string>,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  if (Date.now() - context.sleep.wokeAtMs < WAKE_SETTLE_MS) await pause(WAKE_SETTLE_MS);
  const results: MoveResult[] = [];
  const takeGroup = createGroups(usernames);
  const maxParallel = Math.max(1, order.maxParallel);
  const size = Math.min(GROUP, maxParallel);
  const work = async () => {
    for (;;) {
      const names = await takeGroup(size);
      if (names.length === 0 || order.signal.aborted) return;
      results.push(...(await moveGroup(names, order, context)));
    }
  };
  await Promise.all(Array.from({ length: Math.floor(maxParallel / size) }, work));
  await endLateSessions(results, context);
  for (const { result } of results) context.metrics.add('dovekeeper_moves', { result });
  return results;
}

function createGroups(usernames: AsyncIterable<string> | Iterable<string>) {
  const waiting = iterate(usernames);
  return async (size: number): Promise<string[]> => {
    const names: string[] = [];
    while (names.length < size) {
      const next = await waiting.next();
      if (next.done === true) break;
      names.push(next.value);
    }
    return names;
  };
}

async function* iterate(usernames: AsyncIterable<string> | Iterable<string>) {
  yield* usernames;
}

/** Whoever has sessions leaves by the gate; the others have nothing to lose and go together. */
async function moveGroup(
  names: readonly string[],
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  const departing = Math.round(order.maxParallel * DEPARTING_SHARE);
  // Their logins wait from now on; who is here is asked a moment later.
  const facts = Promise.resolve().then(() => readFacts(names, context));
  const idle = facts.then((known) => moveIdle(names, known, order, context));
  const settled = idle.then(
    () => null,
    () => null,
  );
  for (const name of names) context.leaving.set(name, settled);
  void settled.then(() => {
    for (const name of names) {
      if (context.leaving.get(name) === settled) context.leaving.delete(name);
    }
  });
  return Promise.all(
    names.map(async (username): Promise<MoveResult> => {
      try {
        if (!(await facts).here.has(username)) {
          return (await idle).get(username) ?? toResult(username, 'failed', 'not moved');
        }
        const depart = () => leave(username, order, context);
        return await context.departures.pass(departing, depart);
      } catch (error) {
        return toResult(username, 'failed', describeError(error));
      }
    }),
  );
}

/** What is known of a group when its moves begin. */
interface Facts {
  readonly ownId: string;
  readonly homes: ReadonlyMap<string, Home>;
  /** Who has sessions here. */
  readonly here: ReadonlyMap<string, unknown>;
  readonly epoch: number;
}

async function readFacts(names: readonly string[], context: BackendContext): Promise<Facts> {
  const { epoch } = context.sleep;
  const ownId = readOwnBackend(context).id;
  const [homes, here] = await Promise.all([
    context.geodb.readHomes(names),
    context.sessions.read(),
  ]);
  return { ownId, homes, here, epoch };
}

/** Nobody to disconnect: the new home is all there is to write. */
async function moveIdle(
  names: readonly string[],
  facts: Facts,
  order: MoveOrder,
  context: BackendContext,
): Promise<Map<string, MoveResult>> {
  const results = new Map<string, MoveResult>();
  const leaving: { home: Home; micros: number }[] = [];
  for (const username of names) {
    if (facts.here.has(username)) continue;
    const home = facts.homes.get(username) ?? null;
    const refusal = refuse(home, facts.ownId, order);
    if (home === null || refusal !== null) {
      results.set(username, toResult(username, 'skipped', refusal));
      continue;
    }
    const micros = microsOf(home, order);
    const hasSlept = facts.epoch !== context.sleep.epoch;
    if (hasSlept && (await isOvertaken(username, facts.ownId, micros, context))) {
      results.set(username, toResult(username, 'skipped', 'superseded'));
    } else leaving.push({ home, micros });
  }
  for (const { home } of leaving) context.sweeper.watch(home.username);
  const groups = inGroups(leaving, WRITTEN_TOGETHER);
  await Promise.all(
    groups.map(async (group) => {
      const isWritten = await context.geodb
        .endMoves(group.map(({ home, micros }) => endOf(home, micros, order)))
        .then(() => true)
        .catch(() => false);
      for (const { home, micros } of group) {
        const { username } = home;
        const written = isWritten
          ? logChange(home, micros, order, context)
          : writeHome(home, micros, order, context);
        const result = Promise.resolve(written).then(
          () => toResult(username, 'moved'),
          (error: unknown) => toResult(username, 'failed', describeError(error)),
        );
        results.set(username, await result);
      }
    }),
  );
  return results;
}

/** Logins that come meanwhile wait for the end; whoever is not yet on his way is served as ever. */
async function leave(
  username: string,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult> {
  // He may have waited at the gate until whoever asked for it was gone.
  if (order.signal.aborted) return toResult(username, 'skipped', 'hung up');
  const move = moveOne(username, order, context);
  const departure = move.then(({ result }) => (result === 'moved' ? order.target : null));
  context.leaving.set(username, departure);
  const result = await move;
  if (context.leaving.get(username) === departure) context.leaving.delete(username);
  return result;
}

async function moveOne(
  username: string,
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult> {
  const answer = (result: MoveResult['result'], error: string | null = null) =>
    toResult(username, result, error);
  try {
    const own = readOwnBackend(context);
    const { epoch } = context.sleep;
    const home = await context.geodb.readHome(username);
    const refusal = refuse(home, own.id, order);
    if (home === null || refusal !== null) return answer('skipped', refusal);
    const micros = microsOf(home, order);
    const targetId = order.target.id;
    await context.geodb.beginMove({ username, targetId, token: order.moveId, micros });
    const isFree = await endSessions(username, context);
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

async function writeHome(home: Home, micros: number, order: MoveOrder, context: BackendContext) {
  const end = endOf(home, micros, order);
  context.sweeper.watch(home.username);
  await context.geodb.endMoves([end]).catch(async (error: unknown) => {
    // The answer was lost, perhaps not the write: the home tells.
    const now = await context.geodb.readHome(home.username);
    if (now?.writtenAtMicros !== end.micros || now.backendId !== end.targetId) throw error;
  });
  logChange(home, micros, order, context);
}

/** One look after the last write; the sweeper goes on looking for those that come later. */
async function endLateSessions(results: readonly MoveResult[], context: BackendContext) {
  const moved = results.filter(({ result }) => result === 'moved').map(({ user }) => user);
  if (moved.length === 0) return;
  const here = await context.sessions.read().catch(() => new Map<string, unknown>());
  const late = moved.filter((user) => here.has(user));
  await Promise.all(late.map((user) => context.doveadm.kick(user).catch(() => undefined)));
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}
