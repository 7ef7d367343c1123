/**
 * The mail clients of the table `director`, the same for every row: standing sessions that come back
 * as soon as they are cut, and short-lived second clients that make it visible when a user is served
 * by two Backends at once. What a client notices is what is measured.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { openTextClient, type TextClient } from '../../../lab/mail/cluster-service/text-client.ts';
import {
  imapCommand,
  judgeLogin,
  type MailAddress,
} from '../../../lab/mail/traffic/login-clients.ts';
import { openSessionBook, type SessionBook } from './session-book.ts';

export interface BenchClients {
  readonly book: SessionBook;
  /** Sessions of standing clients that are logged in now. */
  readonly connected: number;
  /** Every standing client ends its session at the same moment, and comes back as after any cut. */
  cutAll(): void;
  /** Settles when no client is left. */
  stop(): Promise<void>;
}

export interface BenchClientsOptions {
  readonly users: readonly string[];
  /** These have a second client as well. */
  readonly usersWithSecond: readonly string[];
  readonly proxies: readonly MailAddress[];
  readonly password: string;
}

/** Longer than any server holds a login back. */
const LOGIN_PATIENCE_MS = 40_000;
const COMES_BACK_WITHIN_MS = 50;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
const SECOND = { shortestMs: 300, longestMs: 1_500, againWithinMs: 200 };
/** Logins at the start: as many as the servers take without a queue of seconds. */
const FIRST_LOGINS_AT_ONCE = 50;

interface World {
  readonly options: BenchClientsOptions;
  readonly book: SessionBook;
  readonly open: Set<TextClient>;
  isStopped: boolean;
}

/** Settles when every standing client is logged in. */
export async function startClients(options: BenchClientsOptions): Promise<BenchClients> {
  const world: World = { options, book: openSessionBook(), open: new Set(), isStopped: false };
  const running: Promise<void>[] = [];
  const waiting = [...options.users];
  const lane = async (): Promise<void> => {
    for (let user = waiting.shift(); user !== undefined; user = waiting.shift()) {
      const name = user;
      await new Promise<void>((resolve) => running.push(stay(name, world, resolve)));
    }
  };
  await Promise.all(Array.from({ length: FIRST_LOGINS_AT_ONCE }, lane));
  for (const user of options.usersWithSecond) running.push(comeAndGo(user, world));
  return {
    book: world.book,
    get connected() {
      return world.open.size;
    },
    cutAll: () => {
      for (const client of world.open) client.close();
    },
    async stop() {
      world.isStopped = true;
      for (const client of world.open) client.close();
      await Promise.race([Promise.all(running), pause(LOGIN_PATIENCE_MS, null, { ref: false })]);
    },
  };
}

async function stay(user: string, world: World, onFirstLogin: () => void): Promise<void> {
  const { book, open } = world;
  let retryMs = FIRST_RETRY_MS;
  let lostAtMs: number | null = null;
  while (!world.isStopped) {
    const opened = await logIn(user, world);
    if (opened === null) {
      await pause(retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      continue;
    }
    const { client, backend } = opened;
    retryMs = FIRST_RETRY_MS;
    open.add(client);
    const session = book.begin(user, backend, 'standing');
    if (lostAtMs !== null) book.addGap({ user, fromMs: lostAtMs, toMs: book.now(), backend });
    onFirstLogin();
    if (world.isStopped) client.close();
    await keepOpen(client);
    session.end();
    lostAtMs = book.now();
    open.delete(client);
    client.close();
    if (!world.isStopped) await pause(Math.random() * COMES_BACK_WITHIN_MS);
  }
  onFirstLogin();
}

/** The second client: a phone that looks for mail now and then. */
async function comeAndGo(user: string, world: World): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!world.isStopped) {
    const opened = await logIn(user, world);
    if (opened === null) {
      await pause(retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      continue;
    }
    retryMs = FIRST_RETRY_MS;
    const { client, backend } = opened;
    const session = world.book.begin(user, backend, 'second');
    const { shortestMs, longestMs, againWithinMs } = SECOND;
    const lastsMs = shortestMs + Math.random() * (longestMs - shortestMs);
    const isCut = await Promise.race([client.ended.then(() => true), pause(lastsMs, false)]);
    if (!isCut) await imapCommand(client, 'z LOGOUT').catch(() => '');
    session.end();
    client.close();
    await pause(Math.random() * againWithinMs);
  }
}

interface Opened {
  readonly client: TextClient;
  /** As the Backend names itself in its capabilities. */
  readonly backend: string;
}

/** null: the attempt failed; the book knows why. */
async function logIn(user: string, world: World): Promise<Opened | null> {
  const { proxies, password } = world.options;
  const proxy = proxies[Math.floor(Math.random() * proxies.length)] as MailAddress;
  const client = openTextClient(proxy, null);
  const talk = async (): Promise<string> => {
    await client.readUntil((line) => line.startsWith('* OK'));
    const login = await imapCommand(client, `a LOGIN ${user} ${password}`);
    if (judgeLogin(login) !== 'ok') throw new Error(login);
    const backend = /X-BACKEND=(\S+?)[\s\]]/.exec(login)?.[1];
    if (backend === undefined) throw new Error(`no Backend is named in: ${login}`);
    const select = await imapCommand(client, 'b SELECT INBOX');
    if (judgeLogin(select) !== 'ok') throw new Error(select);
    return backend;
  };
  const timer = setTimeout(() => client.close(), LOGIN_PATIENCE_MS);
  try {
    return { client, backend: await talk() };
  } catch (error) {
    client.close();
    if (!world.isStopped) world.book.addFailure(user, (error as Error).message);
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/** Until the session ends: the client idles, as most do, so what it costs is its logins. */
async function keepOpen(client: TextClient): Promise<void> {
  client.send('i IDLE');
  await client.ended;
}
