/** Sessions are ended by a signal to their processes; only what is no such process is left to `kick`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { BackendContext } from '../../lab/mail/cluster-service/backend-context.ts';
import type { Session } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { endSessions } from '../../lab/mail/cluster-service/end-sessions.ts';
import { createRecentLogins } from '../../lab/mail/cluster-service/recent-logins.ts';
import { createSessionWatch } from '../../lab/mail/cluster-service/session-watch.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
const processes: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'end-sessions-'));
  for (const name of ['imap', 'pop3', 'cron']) copyFileSync('/bin/sleep', join(folder, name));
});
afterEach(() => {
  for (const each of processes.splice(0)) each.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A process of that name, as Dovecot names those of its services. */
async function startProcess(name: string): Promise<ChildProcess & { readonly pid: number }> {
  const started = spawn(join(folder, name), ['60'], { stdio: 'ignore' });
  processes.push(started);
  await once(started, 'spawn');
  return started as ChildProcess & { readonly pid: number };
}

/** A Dovecot that lists a session for as long as `isListed` says. */
function played(list: () => readonly Session[]) {
  const kicked: string[] = [];
  const recentLogins = createRecentLogins(1_000);
  let looks = 0;
  const who = (): Promise<Session[]> => {
    looks += 1;
    return Promise.resolve([...list()]);
  };
  const context = {
    recentLogins,
    sessions: createSessionWatch({ who }),
    doveadm: {
      kick: (username: string) => {
        kicked.push(username);
        return Promise.resolve();
      },
    },
  } as unknown as BackendContext;
  return { context, kicked, recentLogins, looks: () => looks };
}

function isAlive({ pid = 0 }: ChildProcess): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it('ends the processes of the user, and nobody else', async () => {
  const [own, second, other] = await Promise.all(['imap', 'pop3', 'imap'].map(startProcess));
  const sessions = [
    { username: 'a', service: 'imap', pid: own?.pid ?? 0 },
    { username: 'a', service: 'pop3', pid: second?.pid ?? 0 },
    { username: 'b', service: 'imap', pid: other?.pid ?? 0 },
  ];
  const dovecot = played(() => sessions);
  expect(await endSessions('a', dovecot.context)).toBe(true);
  expect([own, second, other].map((each) => each !== undefined && isAlive(each))).toEqual([
    false,
    false,
    true,
  ]);
  expect(dovecot.kicked).toEqual([]);
  // One look names the processes of all; that they are gone is seen without another.
  expect(dovecot.looks()).toBe(1);
});

it('asks doveadm where the number belongs to another program by now, or is not told', async () => {
  const stranger = await startProcess('cron');
  let isKicked = false;
  for (const pid of [stranger.pid, null]) {
    isKicked = false;
    const session = { username: 'a', service: 'imap', pid };
    const dovecot = played(() => (isKicked ? [] : [session]));
    const kick = dovecot.context.doveadm.kick;
    Object.assign(dovecot.context.doveadm, {
      kick: (username: string) => {
        isKicked = true;
        return kick(username);
      },
    });
    expect(await endSessions('a', dovecot.context)).toBe(true);
    expect(dovecot.kicked).toEqual(['a']);
  }
  expect(isAlive(stranger)).toBe(true);
});

it('looks twice at whoever was let in a moment ago: that session may not be listed yet', async () => {
  const [first, late] = await Promise.all(['imap', 'imap'].map(startProcess));
  const sessionOf = (each: ChildProcess | undefined): Session => ({
    username: 'a',
    service: 'imap',
    pid: each?.pid ?? 0,
  });
  const lists = [[sessionOf(first)], [sessionOf(late)], []];
  const dovecot = played(() => lists.shift() ?? []);
  dovecot.recentLogins.note('a');
  expect(await endSessions('a', dovecot.context)).toBe(true);
  expect([first, late].map((each) => each !== undefined && isAlive(each))).toEqual([false, false]);
  expect(lists).toEqual([]);
});

it('looks up who has been here for long in a list that is a moment old', async () => {
  const [first, second] = await Promise.all(['imap', 'imap'].map(startProcess));
  const sessions = [
    { username: 'a', service: 'imap', pid: first?.pid ?? 0 },
    { username: 'b', service: 'imap', pid: second?.pid ?? 0 },
  ];
  const dovecot = played(() => sessions);
  expect(await endSessions('a', dovecot.context)).toBe(true);
  expect(await endSessions('b', dovecot.context)).toBe(true);
  expect(dovecot.looks()).toBe(1);
  expect([first, second].map((each) => each !== undefined && isAlive(each))).toEqual([
    false,
    false,
  ]);
});

it('takes everybody for a recent login who may have come while it was not asked', async () => {
  const own = await startProcess('imap');
  const session = { username: 'a', service: 'imap', pid: own.pid };
  const lists = [[], [session], []];
  const dovecot = played(() => lists.shift() ?? []);
  // The list is fresh, but from before he came.
  await dovecot.context.sessions.read();
  dovecot.recentLogins.noteBlindness();
  expect(await endSessions('a', dovecot.context)).toBe(true);
  expect(isAlive(own)).toBe(false);
});

it('does not end the session of another user whom the same process serves by now', async () => {
  const titled = spawn('/bin/bash', ['-c', `exec -a 'imap: [b 127.0.0.1 IDLE]' ${folder}/imap 60`]);
  processes.push(titled);
  await once(titled, 'spawn');
  const named = () => readFileSync(`/proc/${titled.pid}/comm`, 'utf8').trim() === 'imap';
  await eventually('it has its title', named);
  const dovecot = played(() => [{ username: 'a', service: 'imap', pid: titled.pid ?? 0 }]);
  expect(await endSessions('a', dovecot.context)).toBe(true);
  expect(isAlive(titled)).toBe(true);
  const right = played(() => [{ username: 'b', service: 'imap', pid: titled.pid ?? 0 }]);
  expect(await endSessions('b', right.context)).toBe(true);
  expect(isAlive(titled)).toBe(false);
});
