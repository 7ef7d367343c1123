/** The login lookup of a proxy: which host serves this user? */
import { describeError } from '../../../platform/describe-error.ts';
import type { MoveAwaiter } from './await-move.ts';
import { chooseHome, findForcedHome } from './choose-home.ts';
import type { ClusterMapReader } from './cluster-map.ts';
import type { BackendRow, Geodb, Home } from './geodb.ts';
import type { HomeChangeLog } from './home-change-log.ts';
import type { LastAnswers } from './last-answers.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics-text.ts';
import type { MoveNewsBoard } from './move-news.ts';
import type { ServingHost } from './where.ts';

export type LookupAnswer =
  | {
      readonly kind: 'found';
      readonly host: string;
      readonly address: string;
      /** The user lived there at this moment or later, in ms since 1970; null: this is from memory. */
      readonly askedAtMs: number | null;
    }
  | { readonly kind: 'unknownUser' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface LookupParts {
  readonly geodb: Geodb;
  readonly map: ClusterMapReader;
  readonly lastAnswers: LastAnswers;
  readonly hostAddresses: ReadonlyMap<string, string>;
  readonly userPattern: RegExp;
  readonly homeChanges: HomeChangeLog;
  /** Ends the sessions of a user whom a force-move rule took away; in the background. */
  readonly endSessions: (host: string, username: string) => void;
  readonly moveNews: MoveNewsBoard;
  readonly awaitMove: MoveAwaiter;
  readonly metrics: Pick<Metrics, 'add'>;
  readonly log: Log;
}

/** The GeoDB answers, but no Backend may take the user. */
export class NoOpenBackendError extends Error {}

/** Test users log in at their Backend whatever its status, and never have a row. */
const PROBE_USER = /^probe-(.+)$/;

/** Never throws. */
export async function lookUp(username: string, parts: LookupParts): Promise<LookupAnswer> {
  const probedHost = PROBE_USER.exec(username)?.[1];
  if (probedHost !== undefined) return findProbed(probedHost, parts);
  const beganAtMs = performance.now();
  try {
    const told = await answerByNews(username, parts);
    if (told !== null) return told;
    const waitedMs = performance.now() - beganAtMs;
    const seen = { isLeaving: false };
    const { backendId, askedAtMs } = await parts.lastAnswers.readOrRemember(username, () =>
      findHome(username, parts, seen),
    );
    if (backendId === null) return { kind: 'unknownUser' };
    const backend = parts.map.backendById(backendId);
    if (backend === undefined) return { kind: 'unavailable', reason: 'home is no Backend' };
    const found = answerFor(hostFor(backend, parts), askedAtMs, parts);
    if (!seen.isLeaving || found.kind !== 'found' || found.host !== backend.host) return found;
    return (await followMove(found, { username, waitedMs }, parts)) ?? found;
  } catch (error) {
    return { kind: 'unavailable', reason: describeError(error) };
  }
}

/**
 * His Backend has just said where he lives; null: it has not. It counts as if the GeoDB had been asked now: he arrived a
 * moment ago, and whoever moves him on without the knowledge of his new Backend does it by force and ends his sessions.
 */
async function answerByNews(username: string, parts: LookupParts): Promise<LookupAnswer | null> {
  const told = await parts.moveNews.homeOf(username);
  const backend = told === null ? undefined : parts.map.backendByHost(told.host);
  if (told === null || backend === undefined) return null;
  parts.lastAnswers.remember(username, backend.id);
  parts.metrics.add('dovekeeper_lookup_by_news');
  return answerFor(hostFor(backend, parts), Date.now(), parts);
}

/** Outside of the question to the GeoDB: a move that takes long is no silence. null: still there. */
async function followMove(
  source: ServingHost,
  { username, waitedMs }: { readonly username: string; readonly waitedMs: number },
  { awaitMove, lastAnswers, map }: LookupParts,
): Promise<LookupAnswer | null> {
  const moved = await awaitMove(source, username, waitedMs);
  if (moved === null) return null;
  const target = map.backendByHost(moved.host);
  if (target !== undefined) lastAnswers.remember(username, target.id);
  return { kind: 'found', ...moved, askedAtMs: Date.now() };
}

function findProbed(host: string, parts: LookupParts): LookupAnswer {
  const backend = parts.map.backendByHost(host);
  const isHere = backend?.siteId === parts.map.ownSite()?.id;
  return backend === undefined || !isHere ? { kind: 'unknownUser' } : answerFor(host, null, parts);
}

/** The id of the user's home, after whatever has to happen at a login; null: nobody we know. */
async function findHome(
  username: string,
  parts: LookupParts,
  seen: { isLeaving: boolean },
): Promise<string | null> {
  const home = await parts.geodb.readHome(username);
  if (home === null) return giveHome(username, parts);
  const backend = parts.map.backendById(home.backendId);
  if (backend === undefined) return home.backendId;
  const left = finishMoveOff(home, backend, parts.map);
  if (left !== null) return moveAtLogin(home, backend, left, 'sourceOffline', parts);
  const forced = findForcedHome(username, backend, parts.map.current());
  if (forced === null || forced.id === backend.id) {
    seen.isLeaving = home.moving !== null;
    return home.backendId;
  }
  return moveAtLogin(home, backend, forced, 'forceMove', parts);
}

async function giveHome(username: string, parts: LookupParts): Promise<string | null> {
  if (!parts.userPattern.test(username)) return null;
  const site = parts.map.ownSite();
  const chosen = site === undefined ? null : chooseHome(username, site.id, parts.map.current());
  if (chosen === null) throw new NoOpenBackendError('no Backend takes new users');
  const backendId = await parts.geodb.claimHome(username, chosen.id);
  if (backendId === chosen.id) {
    parts.homeChanges.append({
      user: username,
      from: null,
      to: chosen.host,
      timestampMicros: null,
      cause: 'newUser',
      moveId: null,
    });
  }
  return backendId;
}

/** A source that is no longer online cannot end a move: the next login does. */
function finishMoveOff(home: Home, source: BackendRow, map: ClusterMapReader): BackendRow | null {
  if (home.moving === null || home.altBackendId === null || source.status === 'online') return null;
  const target = map.backendById(home.altBackendId);
  return target?.status === 'online' ? target : null;
}

async function moveAtLogin(
  home: Home,
  source: BackendRow,
  target: BackendRow,
  cause: 'sourceOffline' | 'forceMove',
  { geodb, homeChanges, endSessions }: LookupParts,
): Promise<string> {
  const micros = Math.max(Date.now() * 1000, home.writtenAtMicros) + 1;
  const { username } = home;
  await geodb.endMoves([{ username, targetId: target.id, sourceId: source.id, micros }]);
  homeChanges.append({
    user: username,
    from: source.host,
    to: target.host,
    timestampMicros: micros,
    cause,
    moveId: home.moving,
  });
  endSessions(source.host, username);
  return target.id;
}

/** Users of another site go to its load balancer, which knows the Backend. */
function hostFor(backend: BackendRow, { map }: LookupParts): string {
  if (backend.siteId === map.ownSite()?.id) return backend.host;
  const site = map.current().sites.find(({ id }) => id === backend.siteId);
  return site?.loadBalancer ?? backend.host;
}

function answerFor(
  host: string,
  askedAtMs: number | null,
  { hostAddresses }: LookupParts,
): LookupAnswer {
  const address = hostAddresses.get(host);
  if (address === undefined) return { kind: 'unavailable', reason: `no address of ${host}` };
  return { kind: 'found', host, address, askedAtMs };
}
