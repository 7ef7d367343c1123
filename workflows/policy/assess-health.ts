import { assert } from '../domain/assert.ts';
import type { HealthVerdict } from '../domain/cluster-snapshot.ts';
import type { AttemptCounts, AttemptWindow } from '../domain/metrics.ts';
import { MAX_LOOK_BACK_SECS, type PolicySettings } from '../domain/policy-settings.ts';

export interface HealthAssessment {
  readonly verdict: HealthVerdict;
  /** Which of the three decided; null where nothing could be judged. */
  readonly judgedBy: 'logins' | 'deliveries' | 'both' | null;
  /** Failures / attempts in that look-back; null: not judged. */
  readonly failureRatio: number | null;
  readonly attempts: number;
  readonly windowSecs: number | null;
}

type Judged = HealthAssessment & { readonly verdict: 'healthy' | 'degraded' | 'critical' };

const SEVERITY: Readonly<Record<HealthVerdict, number>> = {
  unknown: 0,
  healthy: 1,
  degraded: 2,
  critical: 3,
};

const UNKNOWN: HealthAssessment = {
  verdict: 'unknown',
  judgedBy: null,
  failureRatio: null,
  attempts: 0,
  windowSecs: null,
};

/**
 * How well a Backend serves: failures over attempts for logins, for deliveries and for both, and the
 * worst of the three (a dead store lets people log in and refuses their mail).
 * The look-back grows to 300 s until HOST_FAILURE_MIN_LOGINS attempts are in it, else `unknown`.
 * Source: controller documentation, "health checking" (over 90 %: critical; over HOST_FAILURE_RATIO:
 * degraded). Worst-of-three is ours.
 *
 * @param maxAgeSecs only look-backs up to this age count: attempts from before a status change or from
 *   before an evacuation began must not make a Backend look better or worse than it is.
 */
export function assessHealth(
  windows: readonly AttemptWindow[],
  settings: PolicySettings,
  maxAgeSecs: number = MAX_LOOK_BACK_SECS,
): HealthAssessment {
  const limitSecs = Math.min(MAX_LOOK_BACK_SECS, maxAgeSecs);
  const usable = windows.filter((window) => window.windowSecs <= limitSecs);
  const judged = [
    judge('both', usable, (w) => sum(w.logins, w.deliveries), settings),
    judge('logins', usable, (w) => w.logins, settings),
    judge('deliveries', usable, (w) => w.deliveries, settings),
  ];
  return judged.reduce(worse, UNKNOWN);
}

/** True where `verdict` is worse than `than`; unknown is worse than nothing. */
export function isWorse(verdict: HealthVerdict, than: HealthVerdict): boolean {
  return SEVERITY[verdict] > SEVERITY[than];
}

export function isFailing(verdict: HealthVerdict): boolean {
  return verdict === 'degraded' || verdict === 'critical';
}

function judge(
  judgedBy: 'logins' | 'deliveries' | 'both',
  windows: readonly AttemptWindow[],
  countsOf: (window: AttemptWindow) => AttemptCounts,
  settings: PolicySettings,
): HealthAssessment {
  const find = (minSecs: number): Judged | null => {
    for (const window of windows) {
      if (window.windowSecs < minSecs) continue;
      const { succeeded, failed } = countsOf(window);
      const attempts = succeeded + failed;
      if (attempts < settings.failureMinLogins || attempts <= 0) continue;
      const failureRatio = failed / attempts;
      assert(failureRatio >= 0 && failureRatio <= 1, 'a failure ratio lies in 0..1');
      const { windowSecs } = window;
      return { verdict: 'healthy', judgedBy, failureRatio, attempts, windowSecs };
    }
    return null;
  };
  const soon = find(settings.failureCriticalWindowSecs);
  if (soon !== null && (soon.failureRatio ?? 0) > settings.failureCriticalRatio) {
    return { ...soon, verdict: 'critical' };
  }
  const later = find(settings.failureWindowSecs);
  if (later === null) return UNKNOWN;
  const isDegraded = (later.failureRatio ?? 0) > settings.failureRatio;
  return { ...later, verdict: isDegraded ? 'degraded' : 'healthy' };
}

function worse(a: HealthAssessment, b: HealthAssessment): HealthAssessment {
  return isWorse(b.verdict, a.verdict) ? b : a;
}

function sum(a: AttemptCounts, b: AttemptCounts): AttemptCounts {
  return { succeeded: a.succeeded + b.succeeded, failed: a.failed + b.failed };
}
