/** Where users live, as far as a mover knows: counted now and then, and kept up by what it has moved since. */
import type { MoveSituation } from '../../activities/move-users.ts';
import type { KnownUsers, MoverState } from '../contract.ts';

/** Others move users too. Counting is dear: it may take as long as a round. */
const COUNTED_MAX_AGE_MS = 30_000;

export function addConfirmed(
  state: MoverState,
  targetId: string,
  users: number,
): KnownUsers | null {
  const known = state.known ?? null;
  if (known === null || users === 0) return known;
  const { sourceId } = state.request;
  const there = (known.users[targetId] ?? 0) + users;
  const here = Math.max(0, (known.users[sourceId] ?? 0) - users);
  return { ...known, users: { ...known.users, [targetId]: there, [sourceId]: here } };
}

/** What is known of where users live, while it is not too old; null: to be counted. */
export function usersKnown(state: MoverState, nowMs: number): KnownUsers['users'] | null {
  const known = state.known ?? null;
  const isFresh = known !== null && nowMs - known.countedAtMs < COUNTED_MAX_AGE_MS;
  return isFresh ? known.users : null;
}

export function noteCounts(
  state: MoverState,
  { candidates, sourceUsers }: MoveSituation,
  countedAtMs: number,
): MoverState {
  const counts = candidates.map(({ backendId, userCount }) => [backendId, userCount] as const);
  const users = { ...Object.fromEntries(counts), [state.request.sourceId]: sourceUsers };
  return { ...state, known: { countedAtMs, users } };
}
