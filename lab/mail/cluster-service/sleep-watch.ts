/** Notices that this process did not run for a while (SIGSTOP, a suspended machine). */

export interface SleepWatch {
  /** Grows with every sleep: plans from before it must be checked again. */
  readonly epoch: number;
  readonly wokeAtMs: number;
  stop(): void;
}

const TICK_MS = 250;
const DRIFT_MS = 1500;

/** `onWake` is told for how long it slept. */
export function startSleepWatch(onWake: (sleptMs: number) => void): SleepWatch {
  let epoch = 0;
  let wokeAtMs = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const drift = nowMs - lastMs - TICK_MS;
    lastMs = nowMs;
    if (drift < DRIFT_MS) return;
    epoch += 1;
    wokeAtMs = Date.now();
    onWake(drift);
  }, TICK_MS);
  return {
    get epoch() {
      return epoch;
    },
    get wokeAtMs() {
      return wokeAtMs;
    },
    stop: () => clearInterval(timer),
  };
}
