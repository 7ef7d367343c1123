/** Health in words and tones. Quiet when well: only deviations have a colour. */
export type Verdict = 'healthy' | 'degraded' | 'critical' | 'unknown';

export const TONES: Readonly<Record<Verdict, 'ok' | 'warn' | 'crit' | 'mute'>> = {
  healthy: 'ok',
  degraded: 'warn',
  critical: 'crit',
  unknown: 'mute',
};

const SEVERITY: Readonly<Record<Verdict, number>> = {
  critical: 0,
  degraded: 1,
  unknown: 2,
  healthy: 3,
};

/** The worse first; for the order by attention, which a viewer asks for. */
export function bySeverity(a: Verdict, b: Verdict): number {
  return SEVERITY[a] - SEVERITY[b];
}

/** Class of a failure rate: quiet below the degraded limit, muted where it is not known. */
export function failureTone(
  ratio: number | null,
  limits: { readonly failureRatio: number; readonly failureCriticalRatio: number },
): 'muted' | 'quiet' | 'c-warn' | 'c-crit' {
  if (ratio === null) return 'muted';
  if (ratio > limits.failureCriticalRatio) return 'c-crit';
  return ratio > limits.failureRatio ? 'c-warn' : 'quiet';
}
