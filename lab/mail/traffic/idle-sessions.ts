/** Clients that stay: each logs in, keeps the session open, and comes back at once when it is cut. */
import { setTimeout as pause } from 'node:timers/promises';
import { openTextClient, type TextClient } from '../cluster-service/text-client.ts';
import { imapCommand, judgeLogin, type MailAddress } from './login-clients.ts';

export interface IdleSessions {
  /** Sessions that are logged in now. */
  readonly connected: number;
  stop(): void;
}

export interface IdleSessionsParts {
  readonly users: readonly string[];
  readonly password: string;
  readonly nextProxy: (user: string) => MailAddress;
  /** A session was lost and is back: for how long the client had none. */
  readonly onGap: (gapMs: number, user: string) => void;
}

const NOOP_EVERY_MS = 5000;
/** A client that gets no answer for so long takes its session for lost. */
const PATIENCE_MS = 8000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;

/** One session a user, until stopped. */
export function startIdleSessions(parts: IdleSessionsParts): IdleSessions {
  const open = new Set<TextClient>();
  const state = { isStopped: false };
  for (const user of parts.users) void stay(user, parts, open, state);
  return {
    get connected() {
      return open.size;
    },
    stop() {
      state.isStopped = true;
      for (const client of open) client.close();
    },
  };
}

async function stay(
  user: string,
  parts: IdleSessionsParts,
  open: Set<TextClient>,
  state: { readonly isStopped: boolean },
) {
  let lostAtMs: number | null = null;
  let retryMs = FIRST_RETRY_MS;
  while (!state.isStopped) {
    const client = openTextClient(parts.nextProxy(user), null);
    const isIn = await logIn(client, user, parts.password);
    if (!isIn) {
      client.close();
      await pause(retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      continue;
    }
    if (lostAtMs !== null) parts.onGap(performance.now() - lostAtMs, user);
    retryMs = FIRST_RETRY_MS;
    open.add(client);
    lostAtMs = await keepOpen(client);
    open.delete(client);
    client.close();
  }
}

async function logIn(client: TextClient, user: string, password: string): Promise<boolean> {
  const talk = async () => {
    await client.readUntil((line) => line.startsWith('* OK'));
    const login = await imapCommand(client, `a LOGIN ${user} ${password}`);
    if (judgeLogin(login) !== 'ok') return false;
    return judgeLogin(await imapCommand(client, 'b SELECT INBOX')) === 'ok';
  };
  return orTooLate(talk().catch(() => false));
}

/** Until the session ends; answers since when it was of no use. */
async function keepOpen(client: TextClient): Promise<number> {
  for (;;) {
    const ended = client.ended.then(() => true);
    if (await Promise.race([ended, pause(NOOP_EVERY_MS, false)])) return performance.now();
    const askedAtMs = performance.now();
    const answer = imapCommand(client, 'n NOOP').then(
      (reply) => judgeLogin(reply) === 'ok',
      () => false,
    );
    if (!(await orTooLate(answer))) return askedAtMs;
  }
}

const orTooLate = (answer: Promise<boolean>) => Promise.race([answer, pause(PATIENCE_MS, false)]);
