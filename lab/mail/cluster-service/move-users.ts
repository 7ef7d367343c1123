/**
 * Moves users off this Backend. For each: mark the move, end the sessions, write the new home; where
 * there is no session to end, the last of these is all. The writes of one attempt carry its timestamp, so that an attempt that was overtaken (while this
 * process was frozen, say) writes nothing that counts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { describeError } from '../../../platform/describe-error.ts';
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import type { Home } from './geodb.ts';
import { endStrangers, LIST_AGE_MS } from './end-sessions.ts';
import { leaveTogether } from './leave-together.ts';
import {
  isOvertaken,
  microsOf,
  refuse,
  toResult,
  type MoveOrder,
  type MoveResult,
} from './move-order.ts';
import { inGroups, writeHomes, type Leaver } from './write-homes.ts';

/**
 * Of the users that an order allows at a time, so many may be without their sessions: of 100 that is 75, which
 * keeps a cluster busy (ADR 27), of 50 it is 9, and of 20 one: whoever asks for less speed wants clients to wait for
 * nobody.
 */
const departingOf = (maxParallel: number) =>
  Math.max(1, Math.round(0.75 * maxParallel * Math.min(1, maxParallel / 100) ** 2));
/** Users whose homes are read together, and who leave together where the gate is wide enough. */
const GROUP = 25;
/** Of those who may leave at a time, so many groups at least: while one is being written, the other ends its sessions. */
const GROUPS_INSIDE = 2;
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
  const width = departingOf(order.maxParallel);
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
  try {
    const { here } = await facts;
    const departing = names.filter((name) => here.has(name));
    const left = inGroups(departing, Math.ceil(width / GROUPS_INSIDE)).map((users) =>
      context.departures.pass({ width, users: users.length }, () =>
        leaveTogether(users, order, context),
      ),
    );
    const [stayedIdle, ...gone] = await Promise.all([idle, ...left]);
    return [...stayedIdle.values(), ...gone.flat()];
  } catch (error) {
    // Nobody of the group has begun: what is known of it could not be read.
    return names.map((username) => toResult(username, 'failed', describeError(error)));
  }
}

/** What is known of a group when its moves begin. */
interface Facts {
  readonly ownId: string;
  /** Of those who are not here. */
  readonly homes: ReadonlyMap<string, Home>;
  /** Who has sessions here, or may have one in a moment. */
  readonly here: ReadonlySet<string>;
  readonly epoch: number;
}

async function readFacts(names: readonly string[], context: BackendContext): Promise<Facts> {
  const { epoch } = context.sleep;
  const ownId = readOwnBackend(context).id;
  const sessions = await context.sessions.readWithin(LIST_AGE_MS);
  const isHere = (name: string) => sessions.has(name) || context.recentLogins.isRecent(name);
  const here = new Set(names.filter(isHere));
  const idle = names.filter((name) => !here.has(name));
  // Whoever is here may wait long for his turn: his home is read then.
  const homes = idle.length === 0 ? new Map<string, Home>() : await context.geodb.readHomes(idle);
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
  const leaving: Leaver[] = [];
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
    try {
      if (hasSlept && (await isOvertaken(username, facts.ownId, micros, context))) {
        results.set(username, toResult(username, 'skipped', 'superseded'));
      } else leaving.push({ home, micros });
    } catch (error) {
      results.set(username, toResult(username, 'failed', describeError(error)));
    }
  }
  for (const result of await writeHomes(leaving, order, context)) {
    results.set(result.user, result);
  }
  return results;
}

/** One look after the last write, at who came at the last moment; the sweeper goes on looking. */
async function endLateSessions(results: readonly MoveResult[], context: BackendContext) {
  const moved = results.filter(({ result }) => result === 'moved').map(({ user }) => user);
  const suspects = moved.filter((user) => context.recentLogins.isRecent(user));
  if (suspects.length === 0) return;
  const here = await context.sessions.read().catch(() => new Map<string, unknown>());
  const late = suspects.filter((user) => here.has(user));
  // Who is not gone by then is for the sweeper.
  if (late.length > 0) await endStrangers(late, context).catch(() => undefined);
}
