/** Ends the sessions of users on this Backend. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackendContext } from './backend-context.ts';

const DEADLINE_MS = 5000;
/** Between a cut and the next look: a process takes some milliseconds to end a session. */
const LOOK_AFTER_MS = [5, 10, 20, 40, 80, 160];
/** So many looks do cuts have time; whoever is here then came by no proxy, or by one that is frozen. */
const PATIENT_LOOKS = 5;
/**
 * So old may the list be in which the sessions of a user are looked up who did not log in lately. At 1,000
 * sessions a `who` costs as much as moving a user.
 */
export const LIST_AGE_MS = 1_000;
/** From the answer to a login until its session is listed. */
const LOGIN_MS = 1_000;
/** Whoever logged in within this time may be missing in a list of that age. */
export const RECENT_LOGIN_MS = LIST_AGE_MS + LOGIN_MS;

/**
 * Yields the users as they are without sessions, in groups; whoever is not among them has some still at the deadline.
 *
 * All of a group are cut together, and one `who` tells of all. Nobody logs in meanwhile: logins of whoever is
 * leaving wait.
 */
export async function* endSessions(
  usernames: readonly string[],
  context: BackendContext,
): AsyncGenerator<readonly string[]> {
  const { sessions, recentLogins, cutSessions, doveadm } = context;
  const deadlineMs = performance.now() + DEADLINE_MS;
  const left = new Set(usernames);
  const areRecent = () => [...left].some((name) => recentLogins.isRecent(name));
  let all = await (areRecent() ? sessions.read() : sessions.readWithin(LIST_AGE_MS));
  for (let look = 0; ; look += 1) {
    const gone = [...left].filter((name) => !all.has(name));
    for (const name of gone) left.delete(name);
    if (gone.length > 0) yield gone;
    if (left.size === 0 || performance.now() >= deadlineMs) return;
    const names = [...left];
    await cutSessions(names);
    if (look >= PATIENT_LOOKS) for (const name of names) await doveadm.kickByForce(name);
    await pause(LOOK_AFTER_MS[Math.min(look, LOOK_AFTER_MS.length - 1)]);
    all = await sessions.read();
  }
}
