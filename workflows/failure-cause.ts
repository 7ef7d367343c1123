import { ApplicationFailure } from '@temporalio/workflow';

/**
 * What went wrong, without Temporal's wrapping: the message of the activity's own failure, which names
 * system and subject; not of what lies below it, which is a client library's.
 */
export function causeOf(failure: unknown): string {
  let inner = failure;
  while (!(inner instanceof ApplicationFailure)) {
    if (!(inner instanceof Error) || !(inner.cause instanceof Error)) break;
    inner = inner.cause;
  }
  return inner instanceof Error ? inner.message : String(inner);
}
