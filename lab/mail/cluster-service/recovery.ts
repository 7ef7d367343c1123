/**
 * Puts right what a stop, a kill or a freeze left behind on this Backend: moves that were begun
 * and have no owner any more are dropped, and whoever does not live here is disconnected.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { describeError } from '../../../platform/describe-error.ts';
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import { endStrangers } from './end-sessions.ts';
import { readManyHomes } from './read-homes.ts';

export interface Recovery {
  /** Settles when the last recovery asked for is done. */
  done(): Promise<void>;
  /** Starts again; also while one is running. */
  begin(cause: 'started' | 'woke'): void;
  stop(): void;
}

const RETRY_MS = 500;
const LOOK_FOR_FOREIGNERS_EVERY_MS = 30_000;

/**
 * Retries until the GeoDB and doveadm answer. Foreigners are also looked for now and then: a login
 * that was answered from memory, while the GeoDB was silent, may have come to a former home.
 */
export function createRecovery(context: BackendContext): Recovery {
  let last: Promise<void> = Promise.resolve();
  let isStopped = false;
  const recoverOnce = async (cause: string) => {
    const dropped = await dropOwnMoves(context);
    const kicked = await endForeignSessions(context);
    context.metrics.add('dovekeeper_corrections', { kind: 'movesDropped' }, dropped);
    context.metrics.add('dovekeeper_corrections', { kind: 'usersKicked' }, kicked);
    context.log.info('recovered', { cause, movesDropped: dropped, usersKicked: kicked });
  };
  const recover = async (cause: string) => {
    for (let attempt = 0; !isStopped; attempt += 1) {
      try {
        return await recoverOnce(cause);
      } catch (error) {
        if (attempt === 0) context.log.warn('recovery waits', { error: describeError(error) });
        await pause(RETRY_MS);
      }
    }
  };
  const timer = setInterval(() => {
    endForeignSessions(context).then(
      (kicked) => context.metrics.add('dovekeeper_corrections', { kind: 'usersKicked' }, kicked),
      () => undefined,
    );
  }, LOOK_FOR_FOREIGNERS_EVERY_MS);
  return {
    done: () => last,
    begin: (cause) => void (last = last.then(() => recover(cause))),
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

/** A move that is under way here and was not finished has no owner now; the home is still ours. */
async function dropOwnMoves(context: BackendContext): Promise<number> {
  const own = readOwnBackend(context);
  let dropped = 0;
  for await (const home of context.geodb.readHomesOf(own.id)) {
    if (home.moving === null) continue;
    const micros = Math.max(Date.now() * 1000, home.writtenAtMicros) + 1;
    await context.geodb.dropMove(home.username, micros);
    dropped += 1;
  }
  return dropped;
}

async function endForeignSessions(context: BackendContext): Promise<number> {
  const own = readOwnBackend(context);
  const users = [...(await context.sessions.read()).keys()];
  const homes = await readManyHomes(users, context.geodb);
  const foreigners = [...homes.values()]
    .filter(({ backendId }) => backendId !== own.id)
    .map(({ username }) => username);
  // Reading homes takes time: who left meanwhile as he should is no foreigner.
  const now = foreigners.length === 0 ? new Map() : await context.sessions.read();
  const here = foreigners.filter((username) => now.has(username));
  for (const username of here) context.sweeper.watch(username);
  if (here.length > 0) await endStrangers(here, context);
  return here.length;
}
