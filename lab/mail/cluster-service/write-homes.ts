/** The last step of a move: the new home is written, and from then on it holds. */
import { describeError } from '../../../platform/describe-error.ts';
import type { BackendContext } from './backend-context.ts';
import type { Home } from './geodb.ts';
import { endOf, logChange, toResult, type MoveOrder, type MoveResult } from './move-order.ts';

/** A user on his way, with the timestamp of this attempt. */
export interface Leaver {
  readonly home: Home;
  readonly micros: number;
}

/** Cassandra warns of batches over more partitions than this. */
export const WRITTEN_TOGETHER = 10;

/** Never rejects: who could not be written has failed. */
export async function writeHomes(
  leavers: readonly Leaver[],
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  for (const { home } of leavers) context.sweeper.watch(home.username);
  const groups = inGroups(leavers, WRITTEN_TOGETHER);
  const results = await Promise.all(groups.map((group) => writeGroup(group, order, context)));
  return results.flat();
}

async function writeGroup(
  group: readonly Leaver[],
  order: MoveOrder,
  context: BackendContext,
): Promise<MoveResult[]> {
  const ends = group.map(({ home, micros }) => endOf(home, micros, order));
  const isWritten = await context.geodb.endMoves(ends).then(
    () => true,
    () => false,
  );
  const write = async (leaver: Leaver): Promise<MoveResult> => {
    const { username } = leaver.home;
    try {
      if (!isWritten) await writeOne(leaver, order, context);
      logChange(leaver.home, leaver.micros, order, context);
      return toResult(username, 'moved');
    } catch (error) {
      return toResult(username, 'failed', describeError(error));
    }
  };
  return Promise.all(group.map(write));
}

/** The answer for the group was lost, perhaps not the write: again, and then the home tells. */
async function writeOne(
  { home, micros }: Leaver,
  order: MoveOrder,
  { geodb }: BackendContext,
): Promise<void> {
  const end = endOf(home, micros, order);
  await geodb.endMoves([end]).catch(async (error: unknown) => {
    const now = await geodb.readHome(home.username);
    if (now?.writtenAtMicros !== end.micros || now.backendId !== end.targetId) throw error;
  });
}

export function inGroups<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}
