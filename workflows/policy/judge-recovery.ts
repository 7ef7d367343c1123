import type { BackendFacts } from '../domain/cluster-snapshot.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';

export type Recovery =
  | { readonly answer: 'return'; readonly successes: number; readonly windowSecs: number }
  | { readonly answer: 'hold'; readonly holdSecs: number; readonly heldSecs: number }
  | {
      readonly answer: 'notProven';
      readonly successes: number;
      readonly failures: number;
      readonly windowSecs: number;
    };

const HOUR_MS = 3_600_000;

/**
 * Whether a Backend that we set offline may return: probes of the proxies succeeded
 * HOST_RECOVERY_MIN_SUCCESSES times within HOST_RECOVERY_WINDOW_SECS without a failure, and the
 * hold-down is over. Each return within an hour doubles the hold-down.
 * Source: controller documentation, "health checking" (proxies check offline Backends; when the check
 * succeeds the Controller brings it back); numbers and hold-down are ours.
 *
 * @param areDeliveriesSeen whether the site has deliveries at all: then they must succeed as well.
 */
export function judgeRecovery(
  facts: BackendFacts,
  settings: PolicySettings,
  situation: { readonly nowMs: number; readonly areDeliveriesSeen: boolean },
): Recovery {
  const holdSecs = holdDownSecs(facts, settings, situation.nowMs);
  const offlineSinceMs = facts.memory?.offlineSinceMs ?? situation.nowMs;
  const heldSecs = Math.max(0, (situation.nowMs - offlineSinceMs) / 1000);
  if (heldSecs < holdSecs) return { answer: 'hold', holdSecs, heldSecs };
  const window = facts.attempts.find((each) => each.windowSecs >= settings.recoveryWindowSecs);
  const windowSecs = window?.windowSecs ?? settings.recoveryWindowSecs;
  if (window === undefined) return { answer: 'notProven', successes: 0, failures: 0, windowSecs };
  const failures = window.logins.failed + window.deliveries.failed;
  const successes = situation.areDeliveriesSeen
    ? Math.min(window.logins.succeeded, window.deliveries.succeeded)
    : window.logins.succeeded;
  const isProven = failures === 0 && successes >= settings.recoveryMinSuccesses;
  if (!isProven) return { answer: 'notProven', successes, failures, windowSecs };
  return { answer: 'return', successes, windowSecs };
}

/** Seconds that a Backend stays offline at least: the window, doubled by each return within an hour. */
export function holdDownSecs(facts: BackendFacts, settings: PolicySettings, nowMs: number): number {
  const returns = (facts.memory?.returnedAtMs ?? []).filter((ms) => nowMs - ms < HOUR_MS).length;
  const doubled = settings.recoveryWindowSecs * 2 ** Math.min(returns, 20);
  return Math.min(doubled, Math.max(settings.recoveryMaxHoldSecs, settings.recoveryWindowSecs));
}
