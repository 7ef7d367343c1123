/**
 * Starts attempts at fixed rates, whatever becomes of the earlier ones: a hung login never delays
 * the next. Each Backend that has users gets its own share of attempts.
 */
import type { UserHomes } from './user-homes.ts';

export type AttemptKind = 'imap' | 'pop3' | 'delivery';

/** Attempts a second to each Backend. */
export const RATES: Readonly<Record<AttemptKind, number>> = { imap: 1.8, pop3: 0.6, delivery: 2.2 };

export interface OpenLoopParts {
  readonly homes: UserHomes;
  readonly start: (kind: AttemptKind, user: string, host: string) => void;
  /** Applies to all rates. */
  readonly factor: () => number;
  /** Extra load by Backend: users that lived there when it was ordered, and how many times. */
  readonly heavyUsers: () => ReadonlyMap<string, { factor: number; users: readonly string[] }>;
}

const TICK_MS = 50;
/** With fewer users than this, a Backend gets fewer attempts: nobody logs in all the time. */
const USERS_FOR_FULL_RATE = 10;
const MAX_CATCH_UP_MS = 500;

/** Starts; the answer stops it. */
export function startOpenLoop(parts: OpenLoopParts): () => void {
  const due = new Map<string, number>();
  let lastMs = performance.now();
  const advance = (key: string, amount: number, start: () => void) => {
    // A random first share, so that not all Backends get their attempts in the same tick.
    let count = (due.get(key) ?? Math.random()) + amount;
    for (; count >= 1; count -= 1) start();
    due.set(key, count);
  };
  const kinds = Object.keys(RATES) as AttemptKind[];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const seconds = (Math.min(nowMs - lastMs, MAX_CATCH_UP_MS) / 1000) * parts.factor();
    lastMs = nowMs;
    for (const [host, users] of parts.homes.current()) {
      const share = Math.min(1, users.length / USERS_FOR_FULL_RATE);
      for (const kind of kinds) {
        const amount = RATES[kind] * share * seconds;
        advance(`${host} ${kind}`, amount, () => parts.start(kind, pick(users), host));
      }
    }
    for (const [host, { factor, users }] of parts.heavyUsers()) {
      for (const kind of users.length === 0 ? [] : kinds) {
        const amount = RATES[kind] * (factor - 1) * seconds;
        advance(`${host} ${kind} heavy`, amount, () => parts.start(kind, pick(users), host));
      }
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}

const pick = (users: readonly string[]) => users[Math.floor(Math.random() * users.length)] ?? '';
