/** Stretches of time in which something held. */
import type { FaultRecord } from '../nemesis.ts';
import type { Look } from '../record.ts';

export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A fault that was never taken back lasts. */
export const timesOf = ({ fromMs, untilMs }: Pick<FaultRecord, 'fromMs' | 'untilMs'>): Span => ({
  fromMs,
  untilMs: untilMs ?? Number.POSITIVE_INFINITY,
});

/**
 * The stretches of looks in a row that all say yes. A look that saw nothing (null) ends no stretch and
 * adds nothing to it. The time before the first yes of a stretch does not belong to it: when it began
 * is not known.
 */
export function spansWhere(looks: readonly Look[], isSo: (look: Look) => boolean | null): Span[] {
  const spans: Span[] = [];
  let current: { fromMs: number; untilMs: number } | null = null;
  for (const look of looks) {
    const answer = isSo(look);
    if (answer === null) continue;
    if (answer) {
      if (current === null) {
        current = { fromMs: look.untilMs, untilMs: look.fromMs };
        spans.push(current);
      } else current.untilMs = look.fromMs;
    } else current = null;
  }
  return spans.filter(({ fromMs, untilMs }) => untilMs > fromMs);
}

/** Held from so long before that moment on without a break. */
export const heldSince = (spans: readonly Span[], atMs: number, forMs: number): boolean =>
  spans.some(({ fromMs, untilMs }) => fromMs <= atMs - forMs && atMs <= untilMs);
