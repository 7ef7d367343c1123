/**
 * What the Backends tell the proxies of the users whom they send away, so that a crowd that was cut and comes back at
 * once costs no question each: who is leaving is waited for, and whoever has left is known to be elsewhere.
 *
 * A hint, never more: news that is lost, late or old is as none, and the login asks the GeoDB, as any other.
 */
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { isAuthorized } from './api-key.ts';
import type { HttpAnswer } from './http-server.ts';

/** Of some users of one Backend. */
const MOVE_NEWS = z.object({
  state: z.enum(['leaving', 'moved', 'stayed']),
  users: z.array(z.string()).readonly(),
  /** Name of the Backend where they live from now on; null: they have not moved. */
  target: z.string().nullable(),
  /** No later than the new home was written, in ms since 1970. */
  atMs: z.number(),
});

export type MoveNews = Readonly<z.infer<typeof MOVE_NEWS>>;

export interface ToldHome {
  readonly host: string;
  /** The user lived there at this moment or later, in ms since 1970. */
  readonly atMs: number;
}

export interface MoveNewsBoard {
  /** Users of whom something is known. */
  readonly size: number;
  note(news: readonly MoveNews[]): void;
  /** Where the user has just moved to; waits a moment for whoever is leaving. null: nothing is known. */
  homeOf(username: string): Promise<ToldHome | null>;
}

/** A departure takes some 100 ms. Who has waited so long for nothing asks the Backend, as long as Dovecot waits. */
const WAIT_MS = 400;
/** Whoever was cut is back within this time. The clocks of a cluster differ by some milliseconds. */
const FRESH_MS = 500;

interface Entry {
  readonly home: Promise<ToldHome | null>;
  readonly settle: (home: ToldHome | null) => void;
}

/** @param limits milliseconds: how long a login waits for somebody who is leaving, and how long news is worth something */
export function createMoveNewsBoard({ waitMs = WAIT_MS, freshMs = FRESH_MS } = {}): MoveNewsBoard {
  const entries = new Map<string, Entry>();
  const isFresh = (atMs: number): boolean => Math.abs(Date.now() - atMs) < freshMs;
  const open = (username: string): Entry => {
    const { promise: home, resolve: settle } = Promise.withResolvers<ToldHome | null>();
    const entry = { home, settle };
    entries.set(username, entry);
    return entry;
  };
  const endLater = (users: ReadonlyMap<string, Entry>, ms: number): void => {
    const end = () => {
      for (const [username, entry] of users) {
        entry.settle(null);
        if (entries.get(username) === entry) entries.delete(username);
      }
    };
    setTimeout(end, ms).unref();
  };
  const noteOne = ({ state, users, target, atMs }: MoveNews): void => {
    // It may have lain with a process that was frozen, while newer news came by.
    if (!isFresh(atMs)) return;
    const isLeaving = state === 'leaving';
    const told = state === 'moved' && target !== null ? { host: target, atMs } : null;
    const noted = new Map<string, Entry>();
    for (const username of users) {
      // Who waits for him has his answer, and whoever comes later finds the newer news.
      entries.get(username)?.settle(told);
      entries.delete(username);
      if (told === null && !isLeaving) continue;
      const entry = open(username);
      if (told !== null) entry.settle(told);
      noted.set(username, entry);
    }
    if (noted.size > 0) endLater(noted, isLeaving ? waitMs : freshMs);
  };
  return {
    get size() {
      return entries.size;
    },
    note: (news) => news.forEach(noteOne),
    async homeOf(username) {
      const told = (await entries.get(username)?.home) ?? null;
      // A process that was frozen meanwhile knows nothing fresh.
      return told !== null && isFresh(told.atMs) ? told : null;
    },
  };
}

/** `POST /moves`: whoever has the API key of doveadm may say where users live. */
export async function receiveMoveNews(
  request: IncomingMessage,
  { apiKey, board }: { readonly apiKey: string; readonly board: MoveNewsBoard },
): Promise<HttpAnswer> {
  if (request.method !== 'POST') return { status: 405 };
  if (!isAuthorized(request, apiKey)) return { status: 401 };
  const news = parseNews(await text(request));
  if (news === null) return { status: 400, body: 'not a list of news of moves\n' };
  board.note(news);
  return { status: 204 };
}

/** null: it is nothing of the kind. */
function parseNews(body: string): MoveNews[] | null {
  try {
    return z.array(MOVE_NEWS).parse(JSON.parse(body));
  } catch {
    return null;
  }
}
