/** Users who are logged in by IMAP through the proxies, and are back at once whenever they are cut off. */
import { setTimeout as pause } from 'node:timers/promises';
import { openTextClient, type TextClient } from '../../lab/mail/cluster-service/text-client.ts';
import { USER_PASSWORD } from '../../lab/mail/dovecot-config.mjs';
import { hostsOf, PORTS } from '../../lab/mail/hosts.mjs';
import { imapCommand, judgeLogin } from '../../lab/mail/traffic/login-clients.ts';
import { eventually } from '../support/eventually.ts';

export interface HeldSessions {
  /** By user: when the login was answered by OK, epoch milliseconds, the newest last. */
  readonly logins: ReadonlyMap<string, readonly number[]>;
  /** Attempts that were refused, or cut before the answer. */
  readonly failures: number;
  /** Ends every session; the clients come back. */
  cutAll(): void;
  /** Until everybody is logged in. */
  allIn(): Promise<void>;
  stop(): void;
}

const RETRY_MS = 20;
/** A client that gets no answer for so long tries again. */
const PATIENCE_MS = 8_000;
const ALL_IN_MS = 120_000;
/** Everybody at once would be a storm that no test asks for. */
const LOGINS_AT_ONCE = 20;

/** One session a user. */
export function holdSessions(net: number, site: string, users: readonly string[]): HeldSessions {
  const proxies = hostsOf(net).filter((host) => host.role === 'proxy' && host.site === site);
  const open = new Map<string, TextClient>();
  const logins = new Map<string, number[]>(users.map((user) => [user, []]));
  const state = { failures: 0, isStopped: false, isCalm: true };
  const gate = createGate(LOGINS_AT_ONCE);
  const stay = async (user: string, turn: number): Promise<void> => {
    for (let attempt = turn; !state.isStopped; attempt += 1) {
      const proxy = proxies[attempt % proxies.length];
      if (proxy === undefined) throw new Error(`the site ${site} has no proxy`);
      const client = openTextClient({ address: proxy.address, port: PORTS.imap }, null);
      const isIn = await (state.isCalm ? gate(() => logIn(client, user)) : logIn(client, user));
      if (!isIn) {
        client.close();
        if (!state.isStopped) state.failures += 1;
        await pause(RETRY_MS);
        continue;
      }
      logins.get(user)?.push(Date.now());
      open.set(user, client);
      await client.ended;
      open.delete(user);
    }
  };
  users.forEach((user, index) => void stay(user, index));
  const cutAll = (): void => {
    for (const client of open.values()) client.close();
  };
  return {
    logins,
    get failures() {
      return state.failures;
    },
    cutAll() {
      state.isCalm = true;
      cutAll();
    },
    async allIn() {
      const options = { timeoutMs: ALL_IN_MS, intervalMs: 50 };
      await eventually('everybody is logged in', () => open.size === users.length, options);
      state.isCalm = false;
    },
    stop() {
      state.isStopped = true;
      cutAll();
    },
  };
}

async function logIn(client: TextClient, user: string): Promise<boolean> {
  const talk = async (): Promise<boolean> => {
    await client.readUntil((line) => line.startsWith('* OK'));
    return judgeLogin(await imapCommand(client, `a LOGIN ${user} ${USER_PASSWORD}`)) === 'ok';
  };
  const late = pause(PATIENCE_MS, false, { ref: false });
  return Promise.race([talk().catch(() => false), late]);
}

/** At most so many at a time; the others wait. */
function createGate(limit: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
