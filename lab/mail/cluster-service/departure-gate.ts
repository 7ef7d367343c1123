/**
 * Cutting a session is quick, logging in again is not: whoever cuts hundreds at once makes every one of
 * these clients wait for all the others. Through this gate only a few users leave at the same time.
 */
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Clients come back within some 50 ms, and their logins want the same cores as the next cut. With a place
 * that was free at once they waited twice to four times as long (ADR 21); 30 ms are enough (ADR 26).
 */
const COMES_BACK_MS = 30;
/** Where everything is slow the logins are: they take about as long as their departure took. */
const LONGEST_AWAY_MS = 500;

export interface DepartureGate {
  /**
   * Runs the work of so many users when they and those who are at theirs are at most `width`; one group that
   * is alone always may. First come, first served. Rejects as the work does. The answer is there at once,
   * the place is free when the clients may be back.
   */
  pass<T>(
    size: { readonly width: number; readonly users: number },
    work: () => Promise<T>,
  ): Promise<T>;
}

/**
 * One gate for all orders of a Backend: what counts is how many clients wait, not for whom.
 *
 * @param comeBack settles when those who have just left, which took so many milliseconds, may have logged in elsewhere.
 */
export function createDepartureGate(
  comeBack: (tookMs: number) => Promise<unknown> = waitAsLong,
): DepartureGate {
  const waiting: { readonly width: number; readonly users: number; readonly enter: () => void }[] =
    [];
  let inside = 0;
  const admit = () => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (inside > 0 && inside + next.users > next.width) return;
      waiting.shift();
      inside += next.users;
      next.enter();
    }
  };
  return {
    async pass({ width, users }, work) {
      await new Promise<void>((enter) => {
        waiting.push({ width, users, enter });
        admit();
      });
      const enteredAtMs = performance.now();
      try {
        return await work();
      } finally {
        void comeBack(performance.now() - enteredAtMs).then(() => {
          inside -= users;
          admit();
        });
      }
    },
  };
}

const waitAsLong = (tookMs: number): Promise<unknown> =>
  pause(awayMsOf(tookMs), null, { ref: false });

/** Milliseconds from the end of a departure until its clients may be back. */
export const awayMsOf = (tookMs: number): number =>
  Math.min(LONGEST_AWAY_MS, Math.max(COMES_BACK_MS, tookMs));
