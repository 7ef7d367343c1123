/** Every call of a gateway passes here: timed, counted, and failed only as GatewayError. */
import type { Metrics } from '../platform/metrics.ts';
import { GatewayError } from './gateway-error.ts';
import type { GatewaySystem } from './gateway-error.ts';

export type Measured = <T>(operation: string, work: () => Promise<T>) => Promise<T>;

/**
 * `toError` turns what the client library throws into a GatewayError; only a cancellation, which is
 * no error of the system, may stay what it is.
 */
export function createMeasured(
  system: GatewaySystem,
  metrics: Pick<Metrics, 'observeGateway'>,
  toError: (error: unknown, operation: string) => Error,
): Measured {
  return async (operation, work) => {
    const startedAtMs = performance.now();
    try {
      const result = await work();
      metrics.observeGateway(system, operation, performance.now() - startedAtMs, null);
      return result;
    } catch (thrown) {
      const error = thrown instanceof GatewayError ? thrown : toError(thrown, operation);
      const code = error instanceof GatewayError ? error.code : 'Cancelled';
      metrics.observeGateway(system, operation, performance.now() - startedAtMs, code);
      throw error;
    }
  };
}
