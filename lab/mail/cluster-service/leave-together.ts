/**
 * Users with sessions leave in small groups: mark the moves, end the sessions, write the new homes. Together,
 * since a request to the GeoDB for ten costs little more than one for one.
 */
import { describeError } from '../../../platform/describe-error.ts';
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import { findForcedHome } from './choose-home.ts';
import { endSessions } from './end-sessions.ts';
import type { BackendRow } from './geodb.ts';
import {
  isOvertaken,
  microsOf,
  refuse,
  toResult,
  type MoveOrder,
  type MoveResult,
} from './move-order.ts';
import { inGroups, writeHomes, WRITTEN_TOGETHER, type Leaver } from './write-homes.ts';

/** After so long others may have given this departure up and moved its users elsewhere: the GeoDB has to tell. */
const SURE_MS = 1_000;

/** Some users on their way out, all to the same Backend. */
interface Departure {
  readonly order: MoveOrder;
  readonly context: BackendContext;
  readonly beganAtMs: number;
  /** Users of whom the proxies think that they are leaving. */
  readonly announced: Set<string>;
  /** What has become of one of them; his logins wait no longer. */
  end(result: MoveResult): void;
  /** False: a later order moves him as well, and perhaps elsewhere. */
  isLatest(username: string): boolean;
}

/** Never rejects. Logins that come meanwhile wait for the end. */
export async function leaveTogether(
  names: readonly string[],
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  // They may have waited at the gate until whoever asked for it was gone.
  if (order.signal.aborted) return names.map((name) => toResult(name, 'skipped', 'hung up'));
  const results = new Map<string, MoveResult>();
  const holds = new Map(names.map((name) => [name, holdLogins(name, context)]));
  const departure: Departure = {
    order,
    context,
    beganAtMs: performance.now(),
    announced: new Set(),
    end(result) {
      results.set(result.user, result);
      holds.get(result.user)?.release(result.result === 'moved' ? order.target : null);
    },
    isLatest: (username) => holds.get(username)?.isLatest() ?? false,
  };
  try {
    await depart(names, departure);
  } catch (error) {
    for (const name of names) {
      if (!results.has(name)) departure.end(toResult(name, 'failed', describeError(error)));
    }
  }
  // Whoever waits at a proxy for one of them asks the GeoDB now.
  const users = [...departure.announced];
  context.tellProxies({ state: 'stayed', users, target: null, atMs: Date.now() });
  return [...results.values()];
}

/** Until they are released, with the Backend where the user lives now; null: the home has to tell. */
function holdLogins(username: string, { leaving }: BackendContext) {
  const { promise, resolve } = Promise.withResolvers<BackendRow | null>();
  leaving.set(username, promise);
  const isLatest = (): boolean => leaving.get(username) === promise;
  return {
    isLatest,
    release(target: BackendRow | null): void {
      resolve(target);
      if (isLatest()) leaving.delete(username);
    },
  };
}

async function depart(names: readonly string[], departure: Departure): Promise<void> {
  const { order, context, end } = departure;
  const own = readOwnBackend(context);
  const { epoch } = context.sleep;
  const homes = await context.geodb.readHomes(names);
  const leavers: Leaver[] = [];
  for (const name of names) {
    const home = homes.get(name) ?? null;
    const refusal = refuse(home, own.id, order);
    if (home === null || refusal !== null) end(toResult(name, 'skipped', refusal));
    else leavers.push({ home, micros: microsOf(home, order) });
  }
  if (leavers.length === 0) return;
  announce(leavers, departure);
  const marks = leavers.map(({ home: { username }, micros }) => {
    return { username, targetId: order.target.id, token: order.moveId, micros };
  });
  await Promise.all(
    inGroups(marks, WRITTEN_TOGETHER).map((each) => context.geodb.beginMoves(each)),
  );
  const left = new Map(leavers.map((leaver) => [leaver.home.username, leaver]));
  const writes: Promise<void>[] = [];
  try {
    // Those whose sessions take longer to end are written later: the others' clients are waiting.
    for await (const gone of endSessions([...left.keys()], context)) {
      const group = gone.flatMap((name) => left.get(name) ?? []);
      for (const name of gone) left.delete(name);
      writes.push(finish(group, { own, epoch }, departure));
    }
    const stay = async ({ home: { username }, micros }: Leaver): Promise<void> => {
      await context.geodb.dropMove(username, micros + 1);
      end(toResult(username, 'failed', 'sessions do not end'));
    };
    const staying = [...left.values()].map((leaver) =>
      stay(leaver).catch((error: unknown) =>
        end(toResult(leaver.home.username, 'failed', describeError(error))),
      ),
    );
    await Promise.all(staying);
  } finally {
    await Promise.all(writes);
  }
}

function announce(leavers: readonly Leaver[], { announced, context }: Departure): void {
  const users = leavers.map(({ home }) => home.username);
  for (const username of users) announced.add(username);
  context.tellProxies({ state: 'leaving', users, target: null, atMs: Date.now() });
}

/** They are without sessions; those who are still ours to move get their new home. Never rejects. */
async function finish(
  group: readonly Leaver[],
  { own, epoch }: { readonly own: BackendRow; readonly epoch: number },
  departure: Departure,
): Promise<void> {
  const { order, context, end } = departure;
  const hasSlept = epoch !== context.sleep.epoch;
  const ours = await Promise.all(
    group.map(async (leaver) => {
      const { username } = leaver.home;
      try {
        if (!hasSlept || !(await isOvertaken(username, own.id, leaver.micros, context)))
          return leaver;
        end(toResult(username, 'skipped', 'superseded'));
      } catch (error) {
        end(toResult(username, 'failed', describeError(error)));
      }
      return null;
    }),
  );
  const leavers = ours.filter((leaver) => leaver !== null);
  const atMs = Date.now();
  const results = await writeHomes(leavers, order, context);
  const moved = results.filter(({ result }) => result === 'moved').map(({ user }) => user);
  const users = moved.filter((user) => isSurelyThere(user, own, departure));
  for (const username of users) departure.announced.delete(username);
  for (const result of results) end(result);
  context.tellProxies({ state: 'moved', users, target: order.target.host, atMs });
}

/** Our write was accepted; it does not count where somebody else's is newer. */
function isSurelyThere(username: string, own: BackendRow, departure: Departure): boolean {
  const { context, beganAtMs, isLatest } = departure;
  const forced = findForcedHome(username, own, context.map.current());
  const mayBeForced = forced !== null && forced.id !== own.id;
  return isLatest(username) && !mayBeForced && performance.now() - beganAtMs < SURE_MS;
}
