/** One order to move users: what it says, when a user stays, and what is written for those who go. */
import type { BackendContext } from './backend-context.ts';
import type { BackendRow, Home, HomeEnd } from './geodb.ts';

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

export const toResult = (
  user: string,
  result: MoveResult['result'],
  error: string | null = null,
): MoveResult => ({ user, result, error });

/** Why this user is not moved; null: go on. */
export function refuse(home: Home | null, ownId: string, order: MoveOrder): string | null {
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

/** We slept in between: somebody else may have moved the user meanwhile. */
export async function isOvertaken(
  username: string,
  ownId: string,
  micros: number,
  { geodb }: BackendContext,
) {
  const home = await geodb.readHome(username);
  return home === null || home.backendId !== ownId || home.writtenAtMicros > micros;
}

export const endOf = (
  { username, backendId }: Home,
  micros: number,
  { target }: MoveOrder,
): HomeEnd => ({
  username,
  targetId: target.id,
  sourceId: backendId,
  micros: micros + 1,
});

export function logChange(
  { username }: Home,
  micros: number,
  order: MoveOrder,
  context: BackendContext,
) {
  context.homeChanges.append({
    user: username,
    from: context.host,
    to: order.target.host,
    timestampMicros: micros + 1,
    cause: 'batchMove',
    moveId: order.moveId,
  });
}

export const microsOf = ({ writtenAtMicros }: Home, { timestampMicros }: MoveOrder) =>
  timestampMicros ?? Math.max(Date.now() * 1000, writtenAtMicros) + 1;
