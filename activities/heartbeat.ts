import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

const HEARTBEAT_INTERVAL_MS = 500;
/**
 * Below the heartbeat timeout of 2 s: whoever did not run for so long may have a successor that has
 * acted already.
 */
const LONGEST_SLEEP_MS = 1_500;
/** What lies between Temporal's start of an attempt and ours, where nothing is wrong. */
const PROMPT_START_MS = 500;

/** When each attempt that runs here said last that it is alive; a clock that runs on while we are stopped. */
const lastBeats = new WeakMap<Context, number>();

/**
 * Runs a long activity with a heartbeat every 0.5 s, so that the work is noticed as lost within the
 * heartbeat timeout of 2 s after a kill -9, and that a cancellation reaches it.
 */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  lastBeats.set(context, performance.now());
  // At Temporal the start of the attempt counts as the first one. Another right after it would only make it set the
  // timeout once more. Whoever begins late, as a worker that was stopped with a task in its hands, asks at once:
  // there may be a successor.
  if (Date.now() - context.info.currentAttemptScheduledTimestampMs > PROMPT_START_MS) {
    context.heartbeat();
  }
  const timer = setInterval(() => {
    // Once it has overslept an attempt stays lost, however lively it is now.
    if (hasOverslept(context)) return;
    lastBeats.set(context, performance.now());
    context.heartbeat();
  }, HEARTBEAT_INTERVAL_MS);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}

/**
 * Right before a new move timestamp is taken: a process that was stopped (SIGSTOP, a suspended machine)
 * goes on where it was, with plans that its successor has carried out meanwhile, and a timestamp from now
 * would win over whatever was done since. Throws a failure of type `Overslept`, which is retried where
 * there is no successor yet. Outside of `withHeartbeat` there is nothing to tell.
 */
export function assertAwake(): void {
  if (!hasOverslept(Context.current())) return;
  throw ApplicationFailure.create({
    message: `this worker did not run for more than ${LONGEST_SLEEP_MS} ms; the attempt is left to its successor`,
    type: 'Overslept',
  });
}

function hasOverslept(context: Context): boolean {
  const beatAtMs = lastBeats.get(context);
  return beatAtMs !== undefined && performance.now() - beatAtMs > LONGEST_SLEEP_MS;
}

/** True where an earlier attempt of this same activity may have got half-way. */
export function isRepeat(): boolean {
  return Context.current().info.attempt > 1;
}
