/**
 * Users with sessions leave in small groups: mark the moves, end the sessions, write the new homes. Together,
 * since a request to the GeoDB for ten costs little more than one for one.
 */
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import { endSessions } from './end-sessions.ts';
import type { BackendRow } from './geodb.ts';
import { describeError } from './log.ts';
import {
  isOvertaken,
  microsOf,
  refuse,
  toResult,
  type MoveOrder,
  type MoveResult,
} from './move-order.ts';
import { inGroups, writeHomes, WRITTEN_TOGETHER, type Leaver } from './write-homes.ts';

/** Never rejects. Logins that come meanwhile wait for the end. */
export async function leaveTogether(
  names: readonly string[],
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  // They may have waited at the gate until whoever asked for it was gone.
  if (order.signal.aborted) return names.map((name) => toResult(name, 'skipped', 'hung up'));
  const results = new Map<string, MoveResult>();
  const exits = names.map((name) => holdLogins(name, context));
  const end = (result: MoveResult): void => {
    results.set(result.user, result);
    exits[names.indexOf(result.user)]?.(result.result === 'moved' ? order.target : null);
  };
  try {
    await depart(names, order, context, end);
  } catch (error) {
    for (const name of names) {
      if (!results.has(name)) end(toResult(name, 'failed', describeError(error)));
    }
  }
  const ended = [...results.values()];
  const stayed = ended.filter(({ result }) => result !== 'moved').map(({ user }) => user);
  context.tellProxies({ state: 'stayed', users: stayed, target: null, atMs: Date.now() });
  return ended;
}

/** The answer ends the waiting, and says where the user lives now. */
function holdLogins(
  username: string,
  { leaving }: BackendContext,
): (target: BackendRow | null) => void {
  const { promise, resolve } = Promise.withResolvers<BackendRow | null>();
  leaving.set(username, promise);
  return (target) => {
    resolve(target);
    if (leaving.get(username) === promise) leaving.delete(username);
  };
}

async function depart(
  names: readonly string[],
  order: MoveOrder,
  context: BackendContext,
  end: (result: MoveResult) => void,
): Promise<void> {
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
  const leaving = leavers.map(({ home }) => home.username);
  context.tellProxies({ state: 'leaving', users: leaving, target: null, atMs: Date.now() });
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
      writes.push(finish(group, { ownId: own.id, epoch, order }, context, end));
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

/** They are without sessions; those who are still ours to move get their new home. Never rejects. */
async function finish(
  group: readonly Leaver[],
  {
    ownId,
    epoch,
    order,
  }: { readonly ownId: string; readonly epoch: number; readonly order: MoveOrder },
  context: BackendContext,
  end: (result: MoveResult) => void,
): Promise<void> {
  const hasSlept = epoch !== context.sleep.epoch;
  const own = await Promise.all(
    group.map(async (leaver) => {
      const { username } = leaver.home;
      try {
        if (!hasSlept || !(await isOvertaken(username, ownId, leaver.micros, context)))
          return leaver;
        end(toResult(username, 'skipped', 'superseded'));
      } catch (error) {
        end(toResult(username, 'failed', describeError(error)));
      }
      return null;
    }),
  );
  const leavers = own.filter((leaver) => leaver !== null);
  const atMs = Date.now();
  const results = await writeHomes(leavers, order, context);
  for (const result of results) end(result);
  const users = results.filter(({ result }) => result === 'moved').map(({ user }) => user);
  context.tellProxies({ state: 'moved', users, target: order.target.host, atMs });
}
