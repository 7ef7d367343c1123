/**
 * cassandra-driver 4.10 renews its control connection from several places at once. Where two of them overlap,
 * one forgets the host of the other, and that one fails with nobody to tell: Node ends the process. The
 * remaining one does what both were about, so there is nothing to end for.
 */
import type { Logger } from './logger.ts';

const IN_CONTROL_CONNECTION = /cassandra-driver[\\/]lib[\\/]control-connection\.js/;

/** Lives on after this one slip of the driver; any other rejection that nobody handles ends the process as ever. */
export function outliveDriverSlips(logger: Pick<Logger, 'warn'>): void {
  process.on('unhandledRejection', (reason) => {
    if (!isDriverSlip(reason)) throw reason;
    logger.warn({ error: reason }, 'the driver of Cassandra lost its control connection');
  });
}

export function isDriverSlip(reason: unknown): boolean {
  if (!(reason instanceof TypeError)) return false;
  const [, first = ''] = (reason.stack ?? '').split('\n    at ');
  return IN_CONTROL_CONNECTION.test(first);
}
