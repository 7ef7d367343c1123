import type { Backend } from '../workflows/domain/backend.ts';
import type { ActivityContext } from './context.ts';

/** Above it one scan of all users is cheaper than a count for each Backend. */
const MAX_COUNTS_BY_INDEX = 24;

/** Users by Backend id, fresh from the GeoDB: the table itself is the truth, others write to it too. */
export async function countUsersOf(
  context: ActivityContext,
  backends: readonly Backend[],
): Promise<Map<string, number>> {
  if (backends.length > MAX_COUNTS_BY_INDEX) return context.geodb.countAllUsers();
  const counts = await Promise.all(
    backends.map(async ({ id }) => [id, await context.geodb.countUsers(id)] as const),
  );
  return new Map(counts);
}
