/** Who has sessions here? One `who` answers all that asked before it began. */
import type { DoveadmClient } from './doveadm-client.ts';

export interface SessionWatch {
  /** Users with sessions, from a `who` that began after this call. */
  readUsers(): Promise<ReadonlySet<string>>;
}

/** At most one `who` runs and one waits, however many ask. */
export function createSessionWatch(doveadm: DoveadmClient): SessionWatch {
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<ReadonlySet<string>> | null = null;
  const read = async () => {
    const sessions = await doveadm.who();
    return new Set(sessions.map(({ username }) => username));
  };
  return {
    readUsers() {
      waiting ??= running.then(() => {
        waiting = null;
        const users = read();
        running = users.catch(() => undefined);
        return users;
      });
      return waiting;
    },
  };
}
