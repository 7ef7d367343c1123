/** Ends the sessions of one user on this Backend. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackendContext } from './backend-context.ts';
import type { Session } from './doveadm-client.ts';
import { readOrNull } from './read-or-null.ts';

const DEADLINE_MS = 5000;
/** A process takes some milliseconds to end its session. */
const LOOK_AFTER_MS = [2, 2, 4, 8, 16, 32];
/** After a kick `who` is the only one to know: it reads through all sessions each time. */
const ASK_AFTER_MS = [3, 10, 30, 60];
/**
 * So old may the list be in which the sessions of a user are looked up who did not log in lately. At 1,000
 * sessions a `who` costs as much as moving a dozen users.
 */
export const LIST_AGE_MS = 1_000;
/** From the answer to a login until its session is listed. */
const LOGIN_MS = 1_000;
/** Whoever logged in within this time may be missing in a list of that age. */
export const RECENT_LOGIN_MS = LIST_AGE_MS + LOGIN_MS;

/**
 * False: they are still there after the deadline.
 *
 * doveadm's `kick` of one user reads through the sessions of all, which costs more CPU than everything
 * else in a move. What it does in the end is a SIGTERM to the processes of the sessions, and one `who`
 * names these processes for all who are leaving; only where that is not possible is `kick` asked. Nobody
 * logs in meanwhile: logins of whoever is leaving wait.
 */
export async function endSessions(username: string, context: BackendContext): Promise<boolean> {
  const { sessions, recentLogins } = context;
  const deadlineMs = performance.now() + DEADLINE_MS;
  let isFirst = true;
  while (performance.now() < deadlineMs) {
    const isRecent = recentLogins.isRecent(username);
    const all = await (isFirst && !isRecent ? sessions.readWithin(LIST_AGE_MS) : sessions.read());
    isFirst = false;
    const own = all.get(username) ?? [];
    if (own.length === 0) return true;
    if (!own.every(signal)) {
      if (await kick(username, context)) return true;
    } else if ((await haveEnded(own)) && !isRecent && !recentLogins.isRecent(username)) return true;
  }
  return false;
}

/** False: what has that number is no process of a session of that service, or not ours to signal. */
function signal({ username, service, pid }: Session): boolean {
  if (pid === null) return false;
  // Dovecot lists a session for a moment after its process is gone.
  const name = nameOf(pid);
  if (name === null) return true;
  // One client a process; a number that was given away meanwhile must not hit a stranger.
  if (name !== service) return false;
  if (servesAnother(pid, username)) return true;
  try {
    process.kill(pid, 'SIGTERM');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** null: there is no such process. */
const nameOf = (pid: number): string | null => readOrNull(`/proc/${pid}/comm`)?.trim() ?? null;

/** A process serves one client after the other, and its title says whom (`verbose_proctitle`): `imap: [a 127.0.0.1 IDLE]`. */
function servesAnother(pid: number, username: string): boolean {
  const title = readOrNull(`/proc/${pid}/cmdline`) ?? '';
  const [, inside] = /\[(.*)\]/.exec(title) ?? [];
  return inside !== undefined && inside.split(' ')[0] !== username;
}

async function haveEnded(own: readonly Session[]): Promise<boolean> {
  const isThere = ({ pid, service, username }: Session) =>
    pid !== null && nameOf(pid) === service && !servesAnother(pid, username);
  for (const waitMs of LOOK_AFTER_MS) {
    await pause(waitMs);
    if (!own.some(isThere)) return true;
  }
  return false;
}

async function kick(username: string, { doveadm, sessions }: BackendContext): Promise<boolean> {
  await doveadm.kick(username);
  for (const waitMs of ASK_AFTER_MS) {
    await pause(waitMs);
    if (!(await sessions.read()).has(username)) return true;
  }
  return false;
}
