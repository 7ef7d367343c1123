/** One answer for many askers within a short time. */

/**
 * Answers the same promise for `maxAgeMs`, and while it is under way. A failure is not kept beyond
 * the askers who wait for it.
 */
export function memoize<T>(load: () => Promise<T>, maxAgeMs: number, now: () => number) {
  let kept: { readonly promise: Promise<T>; settledAtMs: number | null } | null = null;
  return (): Promise<T> => {
    const isFresh =
      kept !== null && (kept.settledAtMs === null || now() - kept.settledAtMs < maxAgeMs);
    if (kept !== null && isFresh) return kept.promise;
    const entry = { promise: load(), settledAtMs: null as number | null };
    kept = entry;
    entry.promise.then(
      () => {
        entry.settledAtMs = now();
      },
      () => {
        if (kept === entry) kept = null;
      },
    );
    return entry.promise;
  };
}

/** Rejects with the error of `onTimeout` where `promise` takes longer; its end is then ignored. */
export async function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  onTimeout: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(onTimeout());
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
