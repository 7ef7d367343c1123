import { GatewayError } from '../gateways/gateway-error.ts';
import type { ActivityContext } from './context.ts';

const ANSWER_TIMEOUT_MS = 1_500;
/** A frozen source costs every chunk the whole time-out, unless one of them has just paid it. */
const REMEMBERED_MS = 5_000;

/** Why a source's doveadm is of no use: the code of its failure; null: it answers. */
export type FindSilence = (
  sourceHost: string,
  about: { readonly operationId: string; readonly chunk: number },
) => Promise<string | null>;

/**
 * Asks the source whether it answers. Silence is remembered for 5 s, an answer never: forgetting costs
 * time only, so a process may remember it.
 */
export function createFindSilence(context: ActivityContext): FindSilence {
  const silent = new Map<string, { readonly code: string; readonly untilMs: number }>();
  return async (sourceHost, { operationId, chunk }) => {
    const known = silent.get(sourceHost);
    if (known !== undefined && known.untilMs > Date.now()) return known.code;
    silent.delete(sourceHost);
    try {
      const options = { timeoutMs: ANSWER_TIMEOUT_MS, maxAgeMs: -1 };
      await context.doveadm.readCommands(sourceHost, options);
      return null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const { code, message } = error;
      const fields = { operationId, chunk, backend: sourceHost, code, message };
      context.logger.warn(fields, 'source is silent');
      silent.set(sourceHost, { code, untilMs: Date.now() + REMEMBERED_MS });
      return code;
    }
  };
}
