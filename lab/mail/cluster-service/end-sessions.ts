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
 * False: they are still there after the deadline.
 *
 * doveadm's `kick` of one user reads through the sessions of all, which costs more CPU than everything
 * else in a move. What it does in the end is a SIGTERM to the processes of the sessions, and one `who`
 * names these processes for all who are leaving; only where that is not possible is `kick` asked.
 */
export async function endSessions(username: string, context: BackendContext): Promise<boolean> {
  const { sessions, recentLogins } = context;
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (performance.now() < deadlineMs) {
    const own = (await sessions.read()).get(username) ?? [];
    if (own.length === 0) return true;
    if (!own.every(signal)) {
      if (await kick(username, context)) return true;
    } else if ((await haveEnded(own)) && !recentLogins.isRecent(username)) return true;
  }
  return false;
}

/** False: what has that number is no process of a session of that service, or not ours to signal. */
function signal({ service, pid }: Session): boolean {
  if (pid === null) return false;
  // Dovecot lists a session for a moment after its process is gone.
  const name = nameOf(pid);
  if (name === null) return true;
  // One client a process; a number that was given away meanwhile must not hit a stranger.
  if (name !== service) return false;
  try {
    process.kill(pid, 'SIGTERM');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** null: there is no such process. */
const nameOf = (pid: number): string | null => readOrNull(`/proc/${pid}/comm`)?.trim() ?? null;

async function haveEnded(own: readonly Session[]): Promise<boolean> {
  const isThere = ({ pid, service }: Session) => pid !== null && nameOf(pid) === service;
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
