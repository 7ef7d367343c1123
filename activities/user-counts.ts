/**
 * How many users live on each Backend. The GeoDB is the truth and others write to it too, so counts come from
 * the table: Backend by Backend at a small site. At a large one a scan of all users takes seconds, so it
 * runs in the background as an audit, and what our own movers have confirmed since is reckoned on top.
 */
import type { Backend } from '../workflows/domain/backend.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { ActivityContext } from './context.ts';

/** Up to here each Backend is counted by its index; above, one scan of all users is cheaper. */
const MAX_COUNTS_BY_INDEX = 24;
/** An audit that was quicker than this is waited for. */
const QUICK_MS = 500;
/** A slow one starts when those who ask have had their answer: they want the same cores. */
const SLOW_START_MS = 3_000;
/** Slow audits take up at most a tenth of the time. */
const REST_FACTOR = 9;
const MAX_AGE_MS = 600_000;
/** Counting by the index takes up at most a twentieth of the time. */
const REMEMBER_FACTOR = 20;
const LONGEST_REMEMBERED_MS = 30_000;

/** What has to be known of an operation. */
export type CountedOperation = Pick<
  Operation,
  'operationId' | 'sourceId' | 'targetIds' | 'counts' | 'createdAtMs'
>;

export interface UserCounts {
  /**
   * By Backend id. The sources of open operations are always counted afresh: whether a Backend is empty is
   * no matter for an estimate.
   *
   * @param operations the open ones
   */
  read(
    backends: readonly Pick<Backend, 'id'>[],
    operations: readonly CountedOperation[],
  ): Promise<ReadonlyMap<string, number>>;
}

export interface Audit {
  readonly startedAtMs: number;
  readonly tookMs: number;
  readonly users: ReadonlyMap<string, number>;
  /** Users whose move each operation had confirmed when it began. */
  readonly confirmed: ReadonlyMap<string, number>;
}

type Context = Pick<ActivityContext, 'geodb' | 'store' | 'config' | 'logger'>;

/** One for all activities of a process. */
export function createUserCounts(context: Context): UserCounts {
  const { geodb } = context;
  const auditor = new Auditor(context);
  const countEach = async (ids: readonly string[]): Promise<Map<string, number>> =>
    new Map(await Promise.all(ids.map(async (id) => [id, await geodb.countUsers(id)] as const)));
  const remembered = createRememberedCounts(geodb);
  return {
    async read(backends, operations) {
      const ids = backends.map(({ id }) => id);
      if (ids.length <= MAX_COUNTS_BY_INDEX) {
        const counts = ids.map(async (id) => [id, await remembered(id)] as const);
        return new Map(await Promise.all(counts));
      }
      const audit = await auditor.read();
      const sources = new Set(operations.map(({ sourceId }) => sourceId));
      const fresh = ids.filter((id) => sources.has(id)).slice(0, MAX_COUNTS_BY_INDEX);
      return new Map([...reckonOnTop(audit, operations), ...(await countEach(fresh))]);
    },
  };
}

/**
 * A count by the index reads every user: 100,000 take Cassandra seconds. What took long is remembered for a
 * while; that nobody is left is always seen.
 */
function createRememberedCounts({ countUsers, pageUsers }: Context['geodb']) {
  const known = new Map<string, { readonly users: number; readonly untilMs: number }>();
  return async (id: string): Promise<number> => {
    const startedAtMs = Date.now();
    const former = known.get(id);
    if (former !== undefined && former.untilMs > startedAtMs) {
      const someone = await pageUsers(id, { limit: 1, cursor: null });
      if (someone.users.length > 0) return former.users;
    }
    const users = await countUsers(id);
    const tookMs = Date.now() - startedAtMs;
    const forMs = users === 0 ? 0 : Math.min(LONGEST_REMEMBERED_MS, REMEMBER_FACTOR * tookMs);
    known.set(id, { users, untilMs: Date.now() + forMs });
    return users;
  };
}

class Auditor {
  readonly #context: Context;
  #last: Audit | null = null;
  #running: Promise<Audit> | null = null;
  #nextAtMs = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Rejects only where a scan failed and no former one is young enough. */
  read(): Promise<Audit> {
    const nowMs = Date.now();
    const last = this.#last;
    if (last === null || nowMs - last.startedAtMs > MAX_AGE_MS || last.tookMs <= QUICK_MS) {
      return this.#running ?? this.#start(0);
    }
    if (this.#running === null && nowMs >= this.#nextAtMs) {
      this.#start(SLOW_START_MS).catch((error: unknown) => {
        this.#context.logger.warn({ error }, 'users could not be counted');
      });
    }
    return Promise.resolve(last);
  }

  #start(delayMs: number): Promise<Audit> {
    this.#running = this.#scan(delayMs).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #scan(delayMs: number): Promise<Audit> {
    const { geodb, store, config } = this.#context;
    await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
    const startedAtMs = Date.now();
    try {
      const operations = await store.listOpenOperations(config.site);
      const confirmed = new Map(operations.map((one) => [one.operationId, one.counts.confirmed]));
      const users = await geodb.countAllUsers();
      this.#last = { startedAtMs, tookMs: Date.now() - startedAtMs, users, confirmed };
      return this.#last;
    } finally {
      this.#nextAtMs = Date.now() + REST_FACTOR * (Date.now() - startedAtMs);
    }
  }
}

/**
 * Which target a user went to stands in the ledger alone: each target is taken to have got its share.
 * Pure.
 */
export function reckonOnTop(
  audit: Audit,
  operations: readonly CountedOperation[],
): Map<string, number> {
  const users = new Map(audit.users);
  const add = (id: string, by: number): void => {
    users.set(id, Math.max(0, (users.get(id) ?? 0) + by));
  };
  for (const { operationId, sourceId, targetIds, counts, createdAtMs } of operations) {
    const isNewer = createdAtMs >= audit.startedAtMs;
    const before = audit.confirmed.get(operationId) ?? (isNewer ? 0 : counts.confirmed);
    const moved = counts.confirmed - before;
    if (moved <= 0) continue;
    add(sourceId, -moved);
    for (const targetId of targetIds) add(targetId, moved / targetIds.length);
  }
  return new Map([...users].map(([id, count]) => [id, Math.round(count)]));
}
