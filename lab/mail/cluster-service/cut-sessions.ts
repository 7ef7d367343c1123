/**
 * Cuts the sessions of users where they come from: at the proxies. A process of a Backend serves many clients, and
 * Dovecot 2.3 can end such a process only as a whole.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createDoveadmClient } from './doveadm-client.ts';
import type { Endpoint } from './settings.ts';

/**
 * Settles when each proxy has answered or has had its time. Never rejects: a proxy that is dead has no sessions, and
 * whether those of a frozen one have ended is for the caller to see.
 */
export type SessionCutter = (usernames: readonly string[]) => Promise<void>;

/** Longer than a proxy with a thousand sessions takes, shorter than clients want to wait for one that is frozen. */
const PATIENCE_MS = 250;

/** @param proxies where the doveadm of each proxy of the cluster answers */
export function createSessionCutter(proxies: readonly Endpoint[], apiKey: string): SessionCutter {
  const doveadms = proxies.map((endpoint) => createDoveadmClient(endpoint, apiKey));
  return async (usernames) => {
    const cuts = doveadms.map((doveadm) => doveadm.proxyKick(usernames).catch(() => undefined));
    await Promise.race([Promise.all(cuts), pause(PATIENCE_MS, null, { ref: false })]);
  };
}
