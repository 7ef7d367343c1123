/** What the Temporal client throws, as GatewayError: by class and gRPC status, never by text. */
import {
  isGrpcServiceError,
  ScheduleNotFoundError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, NamespaceNotFoundError } from '@temporalio/common';
import { describeError } from '../../platform/describe-error.ts';
import { GatewayError } from '../gateway-error.ts';
import type { GatewayErrorFields } from '../gateway-error.ts';

/** gRPC status codes. */
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

type Verdict = Pick<GatewayErrorFields, 'code' | 'isTemporary'>;

const BY_STATUS: Readonly<Record<number, Verdict>> = {
  [CANCELLED]: { code: 'Timeout', isTemporary: true },
  [INVALID_ARGUMENT]: { code: 'InvalidArgument', isTemporary: false },
  [DEADLINE_EXCEEDED]: { code: 'Timeout', isTemporary: true },
  [NOT_FOUND]: { code: 'NotFound', isTemporary: false },
  [PERMISSION_DENIED]: { code: 'Unauthorized', isTemporary: false },
  // a workflow whose last task failed or timed out takes no update until the next one went well
  [FAILED_PRECONDITION]: { code: 'Refused', isTemporary: true },
  [UNAVAILABLE]: { code: 'Unreachable', isTemporary: true },
  [UNAUTHENTICATED]: { code: 'Unauthorized', isTemporary: false },
};

export function toTemporalError(
  error: unknown,
  operation: string,
  subject: string | undefined,
): GatewayError {
  const about = subject === undefined ? '' : ` of ${subject}`;
  const what = describeError(error);
  return new GatewayError(
    `Temporal: ${operation}${about} failed: ${what}`,
    {
      system: 'temporal',
      operation,
      ...judge(error),
      ...(subject === undefined ? {} : { subject }),
    },
    error,
  );
}

/** `absent` in place of what is not there. */
export async function unlessNotFound<T, F>(asked: Promise<T>, absent: F): Promise<T | F> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return absent;
    throw error;
  }
}

/** No such workflow or schedule, or it has ended. */
function isNotFound(error: unknown): boolean {
  return (
    error instanceof WorkflowNotFoundError ||
    error instanceof ScheduleNotFoundError ||
    statusOf(error) === NOT_FOUND
  );
}

function judge(error: unknown): Verdict {
  if (isNotFound(error) || error instanceof NamespaceNotFoundError)
    return { code: 'NotFound', isTemporary: false };
  if (error instanceof WorkflowUpdateFailedError) {
    return { code: 'Refused', isTemporary: hasEndedMeanwhile(error) };
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return { code: 'Timeout', isTemporary: true };
  }
  return BY_STATUS[statusOf(error) ?? UNAVAILABLE] ?? { code: 'Refused', isTemporary: true };
}

/** The workflow ended after it had taken the request and before it answered: the next one answers. */
function hasEndedMeanwhile({ cause }: WorkflowUpdateFailedError): boolean {
  return cause instanceof ApplicationFailure && cause.type === 'AcceptedUpdateCompletedWorkflow';
}

/** The client wraps gRPC errors more than once. */
function statusOf(error: unknown): number | null {
  let one: unknown = error;
  for (let depth = 0; depth < 5 && one instanceof Error; depth++) {
    if (isGrpcServiceError(one)) return one.code;
    one = one.cause;
  }
  return null;
}
