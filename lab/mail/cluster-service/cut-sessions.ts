/**
 * Cuts the sessions that users have on this Backend, at the proxies: a process of a Backend serves many clients, and
 * doveadm 2.3 can end such a process only as a whole. Sessions that a proxy has sent elsewhere meanwhile stay.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createDoveadmClient, type DoveadmClient } from './doveadm-client.ts';
import type { Endpoint } from './settings.ts';

/**
 * Settles when each proxy has answered or has had its time; never rejects. False: one of them is frozen, so what runs
 * through it was not cut. A proxy that is dead has no sessions.
 */
export type SessionCutter = (usernames: readonly string[]) => Promise<boolean>;

/**
 * Longer than a proxy takes on a machine that is busy all the time: whoever takes one for frozen ends the sessions of
 * others. Shorter than a proxy's lookup waits for the end of a move (1.5 s).
 */
const PATIENCE_MS = 1_000;

/**
 * @param proxies where the doveadm of each proxy of the cluster answers
 * @param host name of this Backend, as the proxies have it
 */
export function createSessionCutter(
  proxies: readonly Endpoint[],
  { host, apiKey }: { readonly host: string; readonly apiKey: string },
): SessionCutter {
  const lanes = proxies.map((endpoint) => createLane(createDoveadmClient(endpoint, apiKey)));
  return async (usernames) => {
    const homes = usernames.map((username) => homeOf(username, host));
    const cuts = lanes.map((lane) => lane(homes));
    const giveUp = pause(PATIENCE_MS, false, { ref: false });
    return Promise.race([Promise.all(cuts).then(() => true), giveUp]);
  };
}

/** As lookup.lua names it: the field of a session at a proxy that says whose it is, and where it went. */
const homeOf = (username: string, host: string): string => `${username} ${host}`;

/**
 * One request to a proxy runs and one waits, however many ask: it takes with it all that came meanwhile. Who has
 * waited too long for a frozen one is forgotten, so that its thaw cuts nobody who has come back.
 */
function createLane(doveadm: Pick<DoveadmClient, 'proxyKick'>) {
  let waiting: { readonly homes: readonly string[]; readonly atMs: number; done(): void }[] = [];
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const oldest = performance.now() - PATIENCE_MS;
      const homes = batch.filter(({ atMs }) => atMs >= oldest).flatMap((each) => each.homes);
      if (homes.length > 0) await doveadm.proxyKick(homes).catch(() => undefined);
      for (const { done } of batch) done();
    }
    isRunning = false;
  };
  return (homes: readonly string[]) =>
    new Promise<void>((done) => {
      waiting.push({ homes, atMs: performance.now(), done });
      if (!isRunning) void run();
    });
}
