/** Sessions are ended by a signal to their processes; only what is no such process is left to `kick`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { BackendContext } from '../../lab/mail/cluster-service/backend-context.ts';
import type { Session } from '../../lab/mail/cluster-service/doveadm-client.ts';
import { endSessions } from '../../lab/mail/cluster-service/end-sessions.ts';
import { createRecentLogins } from '../../lab/mail/cluster-service/recent-logins.ts';

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
  const context = {
    recentLogins,
    sessions: {
      read: () => {
        looks += 1;
        return Promise.resolve(Map.groupBy(list(), ({ username }) => username));
      },
    },
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
