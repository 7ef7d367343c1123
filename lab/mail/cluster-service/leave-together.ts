/**
 * Users with sessions leave in small groups: mark the moves, end the sessions, write the new homes. Together,
 * since a request to the GeoDB for four costs little more than one for one.
 */
import { setTimeout as pause } from 'node:timers/promises';
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
import { writeHomes, type Leaver } from './write-homes.ts';

/** Whose session takes longer to end is written alone: the others' clients are waiting. */
const TOGETHER_MS = 40;

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
  return [...results.values()];
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
  const marks = leavers.map(({ home: { username }, micros }) => {
    return { username, targetId: order.target.id, token: order.moveId, micros };
  });
  await context.geodb.beginMoves(marks);
  const free: Leaver[] = [];
  const write = async (group: readonly Leaver[]): Promise<void> => {
    for (const result of await writeHomes(group, order, context)) end(result);
  };
  let isLate = false;
  const ending = leavers.map(async (leaver) => {
    if (!(await isFree(leaver, { ownId: own.id, epoch }, context, end))) return;
    if (isLate) await write([leaver]);
    else free.push(leaver);
  });
  await Promise.race([Promise.all(ending), pause(TOGETHER_MS)]);
  isLate = true;
  await Promise.all([write(free), ...ending]);
}

/** Without sessions, and still ours to move. */
async function isFree(
  { home: { username }, micros }: Leaver,
  { ownId, epoch }: { readonly ownId: string; readonly epoch: number },
  context: BackendContext,
  end: (result: MoveResult) => void,
): Promise<boolean> {
  try {
    if (!(await endSessions(username, context))) {
      await context.geodb.dropMove(username, micros + 1);
      end(toResult(username, 'failed', 'sessions do not end'));
      return false;
    }
    const hasSlept = epoch !== context.sleep.epoch;
    if (!hasSlept || !(await isOvertaken(username, ownId, micros, context))) return true;
    end(toResult(username, 'skipped', 'superseded'));
  } catch (error) {
    end(toResult(username, 'failed', describeError(error)));
  }
  return false;
}
