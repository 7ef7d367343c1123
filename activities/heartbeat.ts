import { Context } from '@temporalio/activity';

const HEARTBEAT_INTERVAL_MS = 500;

/**
 * Runs a long activity with a heartbeat every 0.5 s, so that the work is noticed as lost within the
 * heartbeat timeout of 2 s after a kill -9, and that a cancellation reaches it.
 */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_INTERVAL_MS);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}

/** True where an earlier attempt of this same activity may have got half-way. */
export function isRepeat(): boolean {
  return Context.current().info.attempt > 1;
}
