/**
 * A login that asked for the home before a move ended may arrive here after it. For a while after
 * each move this looks again who is here, and ends the sessions of those who live elsewhere.
 */
import { describeError } from '../../../platform/describe-error.ts';
import type { Geodb } from './geodb.ts';
import type { Log } from './log.ts';
import { readManyHomes } from './read-homes.ts';
import type { SessionWatch } from './session-watch.ts';

export interface MovedOffSweeper {
  /** Starts watching for a user whose home is elsewhere from now on. */
  watch(username: string): void;
  /** Whether the user was moved off lately. */
  isMovedOff(username: string): boolean;
  stop(): void;
}

export interface SweeperParts {
  readonly geodb: Geodb;
  readonly endStrangers: (usernames: readonly string[]) => Promise<void>;
  readonly sessions: SessionWatch;
  readonly log: Log;
  /** id of this Backend; null until the GeoDB was read. */
  readonly ownId: () => string | null;
}

const SWEEP_EVERY_MS = 250;
/** Where many sessions are listed, a look costs more than it finds: it takes a tenth of the time. */
const REST_FACTOR = 9;
/** The slowest login: lookup and proxy each wait up to 5 s. */
const WATCH_MS = 12_000;

/** Costs nothing while nobody was moved. */
export function startMovedOffSweeper(parts: SweeperParts): MovedOffSweeper {
  const movedOff = new Map<string, number>();
  let isStopped = false;
  const sweep = async () => {
    const oldest = performance.now() - WATCH_MS;
    for (const [username, atMs] of movedOff) if (atMs < oldest) movedOff.delete(username);
    if (movedOff.size === 0) return;
    const sessions = await parts.sessions.read();
    const here = [...sessions.keys()].filter((username) => movedOff.has(username));
    const strangers: string[] = [];
    const homes = await readManyHomes(here, parts.geodb);
    for (const name of here) {
      const home = homes.get(name);
      if (home === undefined || home.backendId === parts.ownId()) movedOff.delete(name);
      else strangers.push(name);
    }
    if (strangers.length > 0) await parts.endStrangers(strangers);
  };
  const tick = async () => {
    const beganAtMs = performance.now();
    await sweep().catch((error: unknown) =>
      parts.log.warn('sweep failed', { error: describeError(error) }),
    );
    const tookMs = performance.now() - beganAtMs;
    if (!isStopped)
      timer = setTimeout(() => void tick(), Math.max(SWEEP_EVERY_MS, REST_FACTOR * tookMs));
  };
  let timer = setTimeout(() => void tick(), SWEEP_EVERY_MS);
  return {
    watch: (username) => void movedOff.set(username, performance.now()),
    isMovedOff: (username) => movedOff.has(username),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
