/** Who has sessions here? One look answers all that asked before it began. */
import type { Session } from './doveadm-client.ts';

export type Sessions = ReadonlyMap<string, readonly Session[]>;

export interface SessionWatch {
  /** Sessions by user, from a look that began after this call. */
  read(): Promise<Sessions>;
  /** The same from one that began so long ago at most, where there is one. */
  readWithin(maxAgeMs: number): Promise<Sessions>;
}

/** At most one look runs and one waits, however many ask. */
export function createSessionWatch(listSessions: () => Promise<Session[]>): SessionWatch {
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<Sessions> | null = null;
  let latest: { readonly sessions: Sessions; readonly beganAtMs: number } | null = null;
  const look = async () => {
    const beganAtMs = performance.now();
    const sessions = Map.groupBy(await listSessions(), ({ username }) => username);
    latest = { sessions, beganAtMs };
    return sessions;
  };
  const read = () => {
    waiting ??= running.then(() => {
      waiting = null;
      const sessions = look();
      running = sessions.catch(() => undefined);
      return sessions;
    });
    return waiting;
  };
  return {
    read,
    async readWithin(maxAgeMs) {
      if (latest !== null && performance.now() - latest.beganAtMs <= maxAgeMs) {
        return latest.sessions;
      }
      return read();
    },
  };
}
