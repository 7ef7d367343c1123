/**
 * The Backend's own question at a login: does this user still live here? Answers where to pass the
 * login on, or null for "serve here", which is also the answer while the GeoDB is silent.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackendContext } from './backend-context.ts';

const PATIENCE_MS = 300;
/** A move takes some milliseconds: a login that meets it waits for its end. */
const MOVE_PATIENCE_MS = 3000;

/** Name and address of the host that serves the user; never throws. */
export async function findElsewhere(
  username: string,
  hostAddresses: ReadonlyMap<string, string>,
  context: BackendContext,
): Promise<{ host: string; address: string } | null> {
  const move = context.leaving.get(username);
  if (move !== undefined) await Promise.race([move, wait(MOVE_PATIENCE_MS)]);
  const reading = context.geodb.readHome(username).catch(() => null);
  const home = await Promise.race([reading, wait(PATIENCE_MS)]);
  const backend = home === null ? undefined : context.map.backendById(home.backendId);
  if (backend === undefined || backend.host === context.host) return null;
  const own = context.map.ownSite();
  const site = context.map.current().sites.find(({ id }) => id === backend.siteId);
  const isOtherSite = own !== undefined && backend.siteId !== own.id;
  const host = isOtherSite ? (site?.loadBalancer ?? backend.host) : backend.host;
  const address = hostAddresses.get(host);
  return address === undefined ? null : { host, address };
}

const wait = (ms: number) => pause(ms, null, { ref: false });
