import { GatewayError } from '../gateways/gateway-error.ts';
import type { Backend } from '../workflows/domain/backend.ts';
import type { ActivityContext } from './context.ts';

/** Freshly read; an id that the GeoDB does not know is a permanent refusal that names it. */
export async function readKnownBackend(
  context: ActivityContext,
  backendId: string,
): Promise<Backend> {
  const backend = await context.geodb.readBackend(backendId);
  if (backend !== null) return backend;
  throw new GatewayError(`the GeoDB has no Backend ${backendId}`, {
    system: 'cassandra',
    operation: 'readBackend',
    isTemporary: false,
    code: 'NotFound',
    subject: backendId,
  });
}
