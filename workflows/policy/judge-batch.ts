/** A batch move that was sent to its source and has not been answered. */
export interface BatchUnderWay {
  /** Since a home last changed or a user began to move, or since it was sent. */
  readonly stillSecs: number;
  /** Some of its users are marked as moving: the source is at work. */
  readonly isAnyMoving: boolean;
  /** The source's doveadm answers other requests. */
  readonly isAnswering: boolean;
}

/** A source that does not answer anything is waited for this long. */
export const SILENT_SECS = 3;
/** One that answers, and has not even begun with anybody. */
const IDLE_SECS = 6;
/** One that has begun: ending the sessions of a user may take it a while. */
const SLOW_SECS = 15;

/**
 * Whether to go on waiting. However long a batch takes, it is healthy while homes change; one that
 * stands still is given up, tried again and at last forced, like any other move that is stuck.
 */
export function judgeBatch(batch: BatchUnderWay): 'wait' | 'giveUp' {
  const { stillSecs, isAnyMoving, isAnswering } = batch;
  if (!isAnswering) return stillSecs < SILENT_SECS ? 'wait' : 'giveUp';
  return stillSecs < (isAnyMoving ? SLOW_SECS : IDLE_SECS) ? 'wait' : 'giveUp';
}
