/**
 * Cutting a session is quick, logging in again is not: whoever cuts hundreds at once makes every one of
 * these clients wait for all the others. Through this gate only a few users leave at the same time.
 */
export interface DepartureGate {
  /**
   * Runs the work when fewer than `width` are at theirs; first come, first served. Rejects as the work
   * does.
   */
  pass<T>(width: number, work: () => Promise<T>): Promise<T>;
}

/** One gate for all orders of a Backend: what counts is how many clients wait, not for whom. */
export function createDepartureGate(): DepartureGate {
  const waiting: { readonly width: number; readonly enter: () => void }[] = [];
  let inside = 0;
  const admit = () => {
    for (let next = waiting[0]; next !== undefined && inside < next.width; next = waiting[0]) {
      waiting.shift();
      inside += 1;
      next.enter();
    }
  };
  return {
    async pass(width, work) {
      await new Promise<void>((enter) => {
        waiting.push({ width: Math.max(1, width), enter });
        admit();
      });
      try {
        return await work();
      } finally {
        inside -= 1;
        admit();
      }
    },
  };
}
