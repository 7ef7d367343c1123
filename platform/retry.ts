import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from './describe-error.ts';
import type { Logger } from './logger.ts';

const RETRY_DELAY_MS = 1_000;

/** Tries for as long as it takes: for what a process needs at its start and a neighbour cannot give yet. */
export async function untilDone<T>(
  what: string,
  logger: Logger,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const message = describeError(error);
      if (tries === 1) logger.warn({ what, message }, 'not possible yet, trying again');
      await sleep(RETRY_DELAY_MS);
    }
  }
}
