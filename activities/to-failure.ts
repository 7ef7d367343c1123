import { ApplicationFailure } from '@temporalio/common';
import { GatewayError } from '../gateways/gateway-error.ts';

/** Failure types that workflows may branch on. */
export const NOT_THE_OWNER = 'NotTheOwner';

/**
 * The only mapping of a gateway's error to Temporal: temporary trouble is retried by the activity's
 * policy; a permanent refusal is a typed failure that is not.
 */
export function toFailure(error: unknown): unknown {
  if (!(error instanceof GatewayError)) return error;
  return ApplicationFailure.create({
    message: error.message,
    type: `${error.system}.${error.code}`,
    nonRetryable: !error.isTemporary,
    details: [{ system: error.system, operation: error.operation, subject: error.subject }],
    cause: error,
  });
}

/** Wraps every activity of a theme, so that no gateway error reaches Temporal unmapped. */
export function mapFailures<T extends object>(activities: T): T {
  const mapped = Object.entries(activities).map(([name, run]) => {
    const wrapped = async (...args: unknown[]): Promise<unknown> => {
      try {
        return await (run as (...each: unknown[]) => Promise<unknown>)(...args);
      } catch (error) {
        throw toFailure(error);
      }
    };
    return [name, wrapped];
  });
  return Object.fromEntries(mapped) as T;
}
