/** Ends the sessions of users on this Backend. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackendContext } from './backend-context.ts';

const DEADLINE_MS = 5000;
/** Between a cut and the next look: mostly sessions have ended by the time the proxies have answered. */
const LOOK_AFTER_MS = [10, 10, 20, 40, 80, 160, 320];
/**
 * After so many cuts, some 700 ms, whoever is still here came by no proxy, or his process hangs; it is ended, with
 * the sessions of others. Where a proxy is frozen, that comes at once: logins are waiting.
 */
const CUTS = LOOK_AFTER_MS.length;
/** `kick` asks no more often: its user may come back at once. */
const CUTS_OF_A_KICK = 3;
/**
 * So old may the list be in which the sessions of a user are looked up who did not log in lately. At 1,000
 * sessions a look costs half as much as moving a user.
 */
export const LIST_AGE_MS = 1_000;
/** From the answer to a login until its session is listed. */
const LOGIN_MS = 1_000;
/** Whoever logged in within this time may be missing in a list of that age. */
export const RECENT_LOGIN_MS = LIST_AGE_MS + LOGIN_MS;

/**
 * Yields the users as they are without sessions, in groups; whoever is not among them has some still at the deadline.
 *
 * All of a group are cut together, and one look tells of all. Nobody logs in meanwhile: logins of whoever is leaving
 * wait, and of whoever lives elsewhere are passed on. One that was let in before may not be listed yet: who logged
 * in lately is cut in any case.
 */
export async function* endSessions(
  usernames: readonly string[],
  context: BackendContext,
): AsyncGenerator<readonly string[]> {
  const { sessions, recentLogins, cutSessions } = context;
  const deadlineMs = performance.now() + DEADLINE_MS;
  const left = new Set(usernames);
  const recent = new Set(usernames.filter((name) => recentLogins.isRecent(name)));
  let all = await (recent.size > 0 ? sessions.read() : sessions.readWithin(LIST_AGE_MS));
  let areCut = true;
  for (let look = 0; ; look += 1) {
    const gone = [...left].filter((name) => !all.has(name) && !recent.has(name));
    recent.clear();
    for (const name of gone) left.delete(name);
    if (gone.length > 0) yield gone;
    if (left.size === 0 || performance.now() >= deadlineMs) return;
    const names = [...left];
    if (areCut && look < CUTS) areCut = await cutSessions(names);
    else await endProcesses(names, context);
    await pause(LOOK_AFTER_MS[Math.min(look, LOOK_AFTER_MS.length - 1)]);
    all = await sessions.read();
  }
}

/** For whoever lives elsewhere already. Settles when they are gone, or at the deadline; rejects where doveadm does not answer. */
export async function endStrangers(
  usernames: readonly string[],
  context: BackendContext,
): Promise<void> {
  for await (const _ of endSessions(usernames, context));
}

/** Ends the sessions that a user has now; he may come back. False: he has none. Rejects where doveadm does not answer. */
export async function kickUser(username: string, context: BackendContext): Promise<boolean> {
  const { sessions, recentLogins, cutSessions } = context;
  if (!(await sessions.read()).has(username)) return false;
  for (const waitMs of LOOK_AFTER_MS.slice(0, CUTS_OF_A_KICK)) {
    const areCut = await cutSessions([username]);
    await pause(waitMs);
    if (!(await sessions.read()).has(username)) return true;
    if (!areCut) break;
  }
  if (!recentLogins.isRecent(username)) await endProcesses([username], context);
  return true;
}

/** Also of others whom these processes serve. Who is still here is seen at the next look. */
async function endProcesses(usernames: readonly string[], { doveadm }: BackendContext) {
  await Promise.all(usernames.map((name) => doveadm.kickProcesses(name).catch(() => undefined)));
}
