import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../platform/logger.ts';
import { GatewayError } from './gateway-error.ts';

const ATTEMPTS = 5;
const RETRY_DELAY_MS = 2_000;

/**
 * For one-time commands: temporary trouble of a neighbour is tried again a few times, each time
 * said; a refusal, or trouble that stays, is thrown.
 */
export async function untilPossible<T>(
  what: string,
  logger: Logger,
  work: () => Promise<T>,
  delayMs: number = RETRY_DELAY_MS,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isTemporary = error instanceof GatewayError && error.isTemporary;
      if (!isTemporary || attempt === ATTEMPTS) throw error;
      logger.warn({ what, attempt, code: error.code }, 'not possible yet, trying again');
      await sleep(delayMs);
    }
  }
}
