import type { LedgerReason, UserHome } from '../domain/user-move.ts';

/** A selection rule as data; the activity applies it to each page of the GeoDB. */
export interface SelectionRule {
  /** How many users each target may still get. */
  readonly quotas: readonly { readonly backendId: string; readonly users: number }[];
  /** Users moved less than this many seconds ago stay; null: no cool time. */
  readonly minLastMovedSecs: number | null;
  /**
   * True: only so many users are wanted, whoever they are, so those in cool time are passed over. False: all
   * are wanted, so each of them is in the books, with the reason why it stays.
   */
  readonly arePassedOver?: boolean;
  readonly chunkSize: number;
}

export interface ChosenChunk {
  readonly targetId: string;
  readonly usernames: readonly string[];
}

export interface ChosenUsers {
  readonly chunks: readonly ChosenChunk[];
  readonly skipped: readonly { readonly username: string; readonly reason: LedgerReason }[];
  /** Quotas that are left for the next page. */
  readonly quotas: readonly { readonly backendId: string; readonly users: number }[];
  /** When the first of those who were passed over may be moved again; null: nobody was. */
  readonly restsUntilMs: number | null;
}

/**
 * Splits a page of users into chunks of one target each, the target with the most quota left first.
 * Users beyond the quotas are left alone: they belong to a later round.
 */
export function chooseUsers(
  page: readonly UserHome[],
  rule: SelectionRule,
  nowMs: number,
): ChosenUsers {
  const skipped: { username: string; reason: LedgerReason }[] = [];
  const movable: string[] = [];
  let restsUntilMs = Infinity;
  for (const user of page) {
    if (!isCooling(user, rule.minLastMovedSecs, nowMs)) movable.push(user.username);
    else if (rule.arePassedOver !== true) {
      skipped.push({ username: user.username, reason: 'CoolTime' });
    } else {
      const endsAtMs = (user.lastMovedMs ?? 0) + (rule.minLastMovedSecs ?? 0) * 1000;
      restsUntilMs = Math.min(restsUntilMs, endsAtMs);
    }
  }
  const quotas = rule.quotas.map((quota) => ({ ...quota }));
  const chunks: ChosenChunk[] = [];
  let next = 0;
  while (next < movable.length) {
    const quota = mostLeft(quotas);
    if (quota === undefined || quota.users === 0) break;
    const size = Math.min(rule.chunkSize, quota.users, movable.length - next);
    chunks.push({ targetId: quota.backendId, usernames: movable.slice(next, next + size) });
    quota.users -= size;
    next += size;
  }
  return {
    chunks,
    skipped,
    quotas,
    restsUntilMs: Number.isFinite(restsUntilMs) ? restsUntilMs : null,
  };
}

export function isCooling(user: UserHome, minLastMovedSecs: number | null, nowMs: number): boolean {
  if (minLastMovedSecs === null || user.lastMovedMs === null) return false;
  return nowMs - user.lastMovedMs < minLastMovedSecs * 1000;
}

function mostLeft<T extends { users: number }>(quotas: readonly T[]): T | undefined {
  return quotas.reduce<T | undefined>(
    (best, each) => (best === undefined || each.users > best.users ? each : best),
    undefined,
  );
}
