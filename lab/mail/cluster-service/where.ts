/**
 * The Backend's own question at a login: does this user still live here? Answers where to pass the
 * login on, or null for "serve here", which is also the answer while the GeoDB is silent.
 *
 * Where the proxy asked the GeoDB a moment ago, it is not asked again: this Backend knows whom it moved off
 * since (ADR 19).
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackendContext } from './backend-context.ts';
import type { BackendRow } from './geodb.ts';

const PATIENCE_MS = 300;
/** While the GeoDB is silent, it is asked only now and then, and nobody waits for it. */
const ASK_AGAIN_MS = 500;
const SILENT = 'silent' as const;
/** A move takes some milliseconds: a login that meets it waits for its end. */
const MOVE_PATIENCE_MS = 3000;
/** How old the proxy's answer may be. The clocks of a cluster differ by some milliseconds. */
const FRESH_MS = 50;

export interface ServingHost {
  readonly host: string;
  readonly address: string;
}

export interface Arrival {
  /** False: a delivery, of which no session is left. */
  readonly opensSession: boolean;
  /** When the proxy that sends him here asked the GeoDB, or was told of the move; in ms since 1970; null: it does not say. */
  readonly askedAtMs: number | null;
}

export type ElsewhereFinder = (username: string, arrival: Arrival) => Promise<ServingHost | null>;

/** The finder never rejects. */
export function createElsewhereFinder(
  hostAddresses: ReadonlyMap<string, string>,
  context: BackendContext,
): ElsewhereFinder {
  let silentUntilMs = 0;
  const readHome = async (username: string) => {
    if (Date.now() < silentUntilMs) return null;
    const reading = context.geodb.readHome(username).catch((): typeof SILENT => SILENT);
    const home = await Promise.race([
      reading,
      pause<typeof SILENT>(PATIENCE_MS, SILENT, { ref: false }),
    ]);
    if (home !== SILENT) return home;
    silentUntilMs = Date.now() + ASK_AGAIN_MS;
    return null;
  };
  const readBackend = async (username: string) => {
    const home = await readHome(username);
    return home === null ? undefined : context.map.backendById(home.backendId);
  };
  const awaitMove = async (username: string) => {
    const move = context.leaving.get(username);
    if (move === undefined) return null;
    const patience = pause(MOVE_PATIENCE_MS, null, { ref: false });
    return Promise.race([move, patience]);
  };
  const isKnownToBeHere = (username: string, askedAtMs: number | null): boolean => {
    if (askedAtMs === null || context.sweeper.isMovedOff(username)) return false;
    const ageMs = Date.now() - askedAtMs;
    return ageMs >= 0 && ageMs < FRESH_MS;
  };
  return async (username, { opensSession, askedAtMs }) => {
    const moved = await awaitMove(username);
    // Whoever ends his sessions from now on has to know that one may be on its way.
    if (moved === null && opensSession) context.recentLogins.note(username);
    if (moved === null && isKnownToBeHere(username, askedAtMs)) return null;
    const backend = moved ?? (await readBackend(username));
    if (backend === undefined || backend.host === context.host) {
      if (opensSession) context.recentLogins.note(username);
      return null;
    }
    const host = hostFor(backend, context);
    const address = hostAddresses.get(host);
    return address === undefined ? null : { host, address };
  };
}

/** Users of another site are served by way of its load balancer. */
function hostFor(backend: BackendRow, { map }: BackendContext): string {
  const own = map.ownSite();
  if (own === undefined || backend.siteId === own.id) return backend.host;
  const site = map.current().sites.find(({ id }) => id === backend.siteId);
  return site?.loadBalancer ?? backend.host;
}
