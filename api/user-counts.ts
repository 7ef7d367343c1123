/**
 * How many users live on each Backend: counted in the background by one scan of all users, because that
 * takes time. An answer is never waited for, apart from the first.
 */
import type { Backend } from '../workflows/domain/backend.ts';
import type { Dependencies } from './dependencies.ts';

const MIN_AGE_MS = 2000;
const FIRST_WAIT_MS = 1000;
/** Counting takes up at most a tenth of the time. */
const REST_FACTOR = 9;

export interface UserCount {
  readonly users: number;
  readonly countedAtMs: number;
}

export interface UserCounts {
  /** The latest known counts by Backend id; starts a new count where these are old. */
  read(backends: readonly Backend[]): Promise<ReadonlyMap<string, UserCount>>;
}

export function createUserCounts(dependencies: Dependencies): UserCounts {
  const { logger, now } = dependencies;
  const counts = new Map<string, UserCount>();
  let running: Promise<void> | null = null;
  let nextAtMs = 0;

  const refresh = async (backends: readonly Backend[]): Promise<void> => {
    const startedAtMs = now();
    try {
      await countInto(counts, backends, dependencies);
    } catch (error) {
      logger.warn({ error }, 'users could not be counted');
    }
    nextAtMs = now() + Math.max(MIN_AGE_MS, REST_FACTOR * (now() - startedAtMs));
    running = null;
  };
  return {
    read: async (backends) => {
      const isNew = backends.some((backend) => !counts.has(backend.id));
      if (running === null && (isNew || now() >= nextAtMs)) {
        running = refresh(backends);
      }
      if (isNew && running !== null) await Promise.race([running, delay(FIRST_WAIT_MS)]);
      return counts;
    },
  };
}

async function countInto(
  counts: Map<string, UserCount>,
  backends: readonly Backend[],
  { geodb, now }: Dependencies,
): Promise<void> {
  const all = await geodb.countAllUsers({ isHurried: false });
  for (const { id } of backends) {
    counts.set(id, { users: all.get(id) ?? 0, countedAtMs: now() });
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
