/** What the proxies counted for one Backend in the last five minutes, as Prometheus answers it. */
import type { AttemptWindow } from '../../workflows/domain/metrics.ts';
import { MAX_LOOK_BACK_SECS } from '../../workflows/domain/policy-settings.ts';

export const TICK_SECS = 5;
/** Under four scrapes a rate is guesswork: shorter look-backs are lengthened. */
const LEAST_SCRAPES = 4;
const TICKS = MAX_LOOK_BACK_SECS / TICK_SECS;

export interface Counted {
  readonly loginsSucceeded: number;
  readonly loginsFailed: number;
  readonly deliveriesSucceeded: number;
  readonly deliveriesFailed: number;
}

export class LookBack {
  /** Of each past tick, in a ring. */
  private readonly ticks: Counted[] = [];
  private next = 0;
  /** A Backend that no proxy ever counted for has no series. */
  private isSeen = false;
  private lastFailure = -TICKS;

  add(counted: Counted): void {
    const { loginsSucceeded, loginsFailed, deliveriesSucceeded, deliveriesFailed } = counted;
    if (loginsSucceeded + loginsFailed + deliveriesSucceeded + deliveriesFailed > 0) {
      this.isSeen = true;
    }
    this.ticks[this.next % TICKS] = counted;
    this.next += 1;
    if (loginsFailed + deliveriesFailed > 0) this.lastFailure = this.next;
  }

  /** Whether anything failed within five minutes. */
  get isSuspect(): boolean {
    return this.next - this.lastFailure < TICKS;
  }

  /** The proxies began anew. */
  forget(): void {
    this.ticks.length = 0;
    this.next = 0;
    this.lastFailure = -TICKS;
    this.isSeen = false;
  }

  windows(windowsSecs: readonly number[]): AttemptWindow[] {
    if (!this.isSeen) return [];
    const windows: AttemptWindow[] = [];
    const logins = { succeeded: 0, failed: 0 };
    const deliveries = { succeeded: 0, failed: 0 };
    let tick = 0;
    for (const windowSecs of windowsSecs) {
      for (; tick < windowSecs / TICK_SECS; tick += 1) {
        const counted = tick < this.next ? this.ticks[(this.next - 1 - tick) % TICKS] : undefined;
        if (counted === undefined) continue;
        logins.succeeded += counted.loginsSucceeded;
        logins.failed += counted.loginsFailed;
        deliveries.succeeded += counted.deliveriesSucceeded;
        deliveries.failed += counted.deliveriesFailed;
      }
      windows.push({ windowSecs, logins: { ...logins }, deliveries: { ...deliveries } });
    }
    return windows;
  }
}

/** @returns the look-backs in seconds, ascending; two that become the same are one */
export function lengthen(windowsSecs: readonly number[], scrapeIntervalSecs: number): number[] {
  const leastSecs = LEAST_SCRAPES * scrapeIntervalSecs;
  return [...new Set(windowsSecs.map((secs) => Math.max(secs, leastSecs)))].sort((a, b) => a - b);
}
