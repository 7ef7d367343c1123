/** Who has sessions here? One `who` answers all that asked before it began. */
import type { DoveadmClient, Session } from './doveadm-client.ts';

export interface SessionWatch {
  /** Sessions by user, from a `who` that began after this call. */
  read(): Promise<ReadonlyMap<string, readonly Session[]>>;
}

/** At most one `who` runs and one waits, however many ask. */
export function createSessionWatch(doveadm: DoveadmClient): SessionWatch {
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<ReadonlyMap<string, readonly Session[]>> | null = null;
  const read = async () => Map.groupBy(await doveadm.who(), ({ username }) => username);
  return {
    read() {
      waiting ??= running.then(() => {
        waiting = null;
        const sessions = read();
        running = sessions.catch(() => undefined);
        return sessions;
      });
      return waiting;
    },
  };
}
