/** Words, shares and estimates of operations. */
import { estimate } from './time.ts';

const KIND_NAMES: Readonly<Record<string, string>> = {
  evacuation: 'Evacuation',
  partialMove: 'Partial move',
  batchMove: 'Batch move',
  forceMove: 'Force move',
  drain: 'Drain',
  rebalance: 'Rebalance',
  finishMoves: 'Finishing of moves',
};

const CAUSE_SENTENCES: Readonly<Record<string, string>> = {
  health: 'because the Backend is critical',
  degraded: 'because the Backend is degraded',
  drain: 'because its load factor is 0',
  rebalance: 'because its load is high',
  operator: 'on request',
  foreign: 'because moves that others began do not end',
};

export interface Counts {
  readonly planned: number;
  readonly confirmed: number;
  readonly skipped: number;
  readonly failed: number;
  readonly remaining: number;
}

export function kindName(kind: string): string {
  return KIND_NAMES[kind] ?? kind;
}

/** "Evacuation of mail07". */
export function operationTitle(operation: {
  readonly kind: string;
  readonly sourceHost: string;
}): string {
  const word = operation.kind === 'rebalance' ? 'from' : 'of';
  return `${kindName(operation.kind)} ${word} ${operation.sourceHost}`;
}

export function causeSentence(cause: string): string {
  return CAUSE_SENTENCES[cause] ?? cause;
}

/** Share of the plan that has ended, 0 to 1; an empty plan that is over counts as complete. */
export function doneShare(counts: Counts, isEnded = false): number {
  if (counts.planned === 0) return isEnded ? 1 : 0;
  return (counts.planned - counts.remaining) / counts.planned;
}

/** Planned users of an evacuation grow round by round: its progress is measured by the original count. */
export function progressTotal(counts: Counts, originalCount: number): number {
  return Math.max(counts.planned, originalCount);
}

/** Users a second between two points; null where no time has passed. */
export function rateBetween(
  first: { readonly atMs: number; readonly done: number },
  last: { readonly atMs: number; readonly done: number },
): number | null {
  const seconds = (last.atMs - first.atMs) / 1000;
  return seconds <= 0 ? null : Math.max(0, (last.done - first.done) / seconds);
}

/** Time left as a range: a fifth above and below the present rate. Null where nothing moves. */
export function timeLeft(remaining: number, ratePerSecond: number | null): string | null {
  if (ratePerSecond === null || ratePerSecond <= 0 || remaining <= 0) return null;
  return estimate(remaining / (ratePerSecond * 1.2), remaining / (ratePerSecond * 0.8));
}
