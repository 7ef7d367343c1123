/**
 * How many users live on each Backend. The GeoDB is the truth and others write to it too, so counts come from
 * one scan of its users, which costs a quarter of what an index costs for each of them. Where that is quick it
 * runs whenever somebody asks; where it takes long it runs in the background as an audit, and what our own
 * movers have confirmed since is reckoned on top.
 */
import type { Backend } from '../workflows/domain/backend.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { ActivityContext } from './context.ts';

/** An audit that was quicker than this is waited for. */
const QUICK_MS = 100;
/** Whoever begins to empty a Backend waits for one that takes up to this long. */
const WORTH_WAITING_MS = 3_000;
/** A slow one starts when those who ask have had their answer: they want the same cores. */
const SLOW_START_MS = 3_000;
/** Of the time that one in the background takes, an audit that somebody waits for needs this share. */
const HURRIED_SHARE = 0.5;
/** Slow audits take up at most a tenth of the time. */
const REST_FACTOR = 9;
/** Whom the index shows at once; above, an estimate does. */
const SHOWN_BY_INDEX = 1_000;
const RECENT_OPERATIONS = 50;
const MAX_AGE_MS = 600_000;

/** What has to be known of an operation. */
export type CountedOperation = Pick<
  Operation,
  'operationId' | 'sourceId' | 'targetIds' | 'counts' | 'createdAtMs'
>;

export interface UserCounts {
  /**
   * By Backend id.
   *
   * @param operations the open ones
   */
  read(
    backends: readonly Pick<Backend, 'id'>[],
    operations: readonly CountedOperation[],
  ): Promise<ReadonlyMap<string, number>>;
  /**
   * Read afresh, for whoever begins or ends to empty a Backend. Exact, but where a scan takes long and more
   * than 1,000 live there: then it is an estimate that is never below that.
   */
  countOne(backendId: string): Promise<number>;
}

export interface Audit {
  readonly startedAtMs: number;
  /** Or would have taken, had somebody waited for it. */
  readonly tookMs: number;
  readonly users: ReadonlyMap<string, number>;
  /** Users whose move each operation had confirmed when it began. */
  readonly confirmed: ReadonlyMap<string, number>;
}

type Context = Pick<ActivityContext, 'geodb' | 'store' | 'config' | 'logger'>;

/** One for all activities of a process. */
export function createUserCounts(context: Context): UserCounts {
  const { geodb, store, config } = context;
  const auditor = new Auditor(context);
  const reckon = async (audit: Audit, open: readonly CountedOperation[]) =>
    reckonOnTop(audit, [...open, ...(await readEndedSince(context, audit, open))]);
  return {
    async read(backends, operations) {
      const audit = await auditor.read();
      const users = isQuick(audit) ? audit.users : await reckon(audit, operations);
      return new Map(backends.map(({ id }) => [id, users.get(id) ?? 0]));
    },
    async countOne(id) {
      const askedAtMs = Date.now();
      const former = await auditor.read();
      const isFresh = former.startedAtMs >= askedAtMs;
      if (isFresh || former.tookMs <= WORTH_WAITING_MS) {
        const audit = isFresh ? former : await auditor.readAfresh();
        return audit.users.get(id) ?? 0;
      }
      const page = await geodb.pageUsers(id, { limit: SHOWN_BY_INDEX, cursor: null });
      if (page.cursor === null) return page.users.length;
      const users = await reckon(former, await store.listOpenOperations(config.site));
      return Math.max(SHOWN_BY_INDEX, users.get(id) ?? 0);
    },
  };
}

const isQuick = ({ tookMs }: Audit): boolean => tookMs <= QUICK_MS;

/** What they moved before they ended may be newer than the audit. */
async function readEndedSince(
  { store, config }: Context,
  { startedAtMs }: Audit,
  open: readonly CountedOperation[],
): Promise<readonly CountedOperation[]> {
  const { operations } = await store.listOperations(config.site, {
    limit: RECENT_OPERATIONS,
    cursor: null,
  });
  return operations.filter(
    ({ operationId, endedAtMs }) =>
      (endedAtMs ?? 0) >= startedAtMs && !open.some((one) => one.operationId === operationId),
  );
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
    if (last === null || nowMs - last.startedAtMs > MAX_AGE_MS || isQuick(last)) {
      return this.#start({ isHurried: true });
    }
    if (this.#running === null && nowMs >= this.#nextAtMs) {
      this.#nextAtMs = nowMs + SLOW_START_MS;
      setTimeout(() => {
        this.#start({ isHurried: false }).catch((error: unknown) => {
          this.#context.logger.warn({ error }, 'users could not be counted');
        });
      }, SLOW_START_MS).unref();
    }
    return Promise.resolve(last);
  }

  /** By a scan that begins no sooner than now. */
  async readAfresh(): Promise<Audit> {
    await this.#running?.catch(() => undefined);
    return this.#start({ isHurried: true });
  }

  #start(how: { readonly isHurried: boolean }): Promise<Audit> {
    this.#running ??= this.#scan(how).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #scan({ isHurried }: { readonly isHurried: boolean }): Promise<Audit> {
    const { geodb, store, config } = this.#context;
    const startedAtMs = Date.now();
    try {
      const operations = await store.listOpenOperations(config.site);
      const confirmed = new Map(operations.map((one) => [one.operationId, one.counts.confirmed]));
      const users = await geodb.countAllUsers({ isHurried });
      const tookMs = (Date.now() - startedAtMs) * (isHurried ? 1 : HURRIED_SHARE);
      this.#last = { startedAtMs, tookMs, users, confirmed };
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
