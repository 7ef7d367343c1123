/** Orderly ends: what was opened last is closed first, within a deadline. */
import type { Logger } from './logger.ts';

export interface Shutdown {
  /** Runs in reverse order of adding; a failing step does not stop the others. */
  add(name: string, close: () => Promise<void> | void): void;
  /** Closes everything; the same promise for every caller. */
  run(reason: string): Promise<void>;
}

/**
 * Listens for SIGTERM and SIGINT; a second signal, or a close that takes longer than `deadlineMs`,
 * ends the process at once with exit code 1.
 */
export function createShutdown(logger: Logger, options: { deadlineMs: number }): Shutdown {
  const steps: { name: string; close: () => Promise<void> | void }[] = [];
  let running: Promise<void> | undefined;

  const closeAll = async (reason: string): Promise<void> => {
    logger.info({ reason }, 'stopping');
    for (const step of steps.reverse()) {
      try {
        await step.close();
      } catch (error) {
        logger.warn({ error, step: step.name }, 'could not be closed');
      }
    }
    logger.info('stopped');
  };
  const run = (reason: string): Promise<void> => (running ??= closeAll(reason));

  const onSignal = (signal: string): void => {
    if (running !== undefined) process.exit(1);
    setTimeout(() => {
      logger.error({ deadlineMs: options.deadlineMs }, 'stopping took too long');
      process.exit(1);
    }, options.deadlineMs).unref();
    void run(signal).then(() => process.exit(0));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  return { add: (name, close) => void steps.push({ name, close }), run };
}
