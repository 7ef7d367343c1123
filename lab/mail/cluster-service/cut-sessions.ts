/**
 * Cuts the sessions that users have on this Backend, at the proxies: a process of a Backend serves many clients, and
 * doveadm 2.3 can end such a process only as a whole. Sessions that a proxy has sent elsewhere meanwhile stay.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createDoveadmClient, type DoveadmClient } from './doveadm-client.ts';
import { createLine } from './send-together.ts';
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
 * One request to a proxy runs and one waits, however many ask. Who has waited too long for a frozen one is
 * forgotten, so that its thaw cuts nobody who has come back.
 */
function createLane(doveadm: Pick<DoveadmClient, 'proxyKick'>) {
  const line = createLine<{ readonly homes: readonly string[]; readonly atMs: number }>(
    async (cuts) => {
      const oldest = performance.now() - PATIENCE_MS;
      const homes = cuts.filter(({ atMs }) => atMs >= oldest).flatMap((cut) => cut.homes);
      if (homes.length > 0) await doveadm.proxyKick(homes).catch(() => undefined);
    },
  );
  return (homes: readonly string[]) => line({ homes, atMs: performance.now() });
}
