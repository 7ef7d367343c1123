/** Why a Backend is judged as it is: the rules from the worst down, each with value and limit. */
import type { Glyph } from '../components/glyphs.ts';
import type { BackendDetail, Overview } from '../api/model.ts';
import { count, percent } from './number.ts';
import { duration } from './time.ts';
import type { Verdict } from './verdicts.ts';

export interface Rung {
  readonly id: string;
  readonly tone: 'crit' | 'warn' | 'ok' | 'mute';
  readonly glyph: Glyph;
  readonly text: string;
  readonly isDeciding: boolean;
  /** "14.2 % > 10 %". */
  readonly value: string;
  readonly why: string;
}

type Failure = BackendDetail['failure'];
type Limits = Overview['limits'];

/** @param metricsAgeSecs age of the newest metrics; null: there are none. */
export function verdictLadder(
  backend: BackendDetail,
  { limits, metrics }: Pick<Overview, 'limits' | 'metrics'>,
  metricsAgeSecs: number | null,
): readonly Rung[] {
  return [
    freshness(metrics, metricsAgeSecs),
    traffic(backend.failure, limits),
    critical(backend.criticalFailure, limits, backend.verdict),
    degraded(backend.failure, limits, backend.verdict),
  ];
}

function freshness(metrics: Overview['metrics'], ageSecs: number | null): Rung {
  const isFresh = !metrics.isBlind && ageSecs !== null;
  return {
    id: 'fresh',
    tone: isFresh ? 'ok' : 'crit',
    glyph: isFresh ? 'check' : 'blind',
    isDeciding: !isFresh,
    text: isFresh ? 'Metrics are fresh' : 'Metrics cannot be trusted',
    value:
      ageSecs === null
        ? 'none'
        : compare(duration(ageSecs), duration(metrics.maxAgeSecs), isFresh ? '<' : '>'),
    why: isFresh ? '' : 'Without them no Backend is judged: the verdict is unknown, never healthy.',
  };
}

function traffic(failure: Failure, limits: Limits): Rung {
  const attempts = failure === null ? 0 : attemptsOf(failure);
  const isEnough = attempts >= limits.failureMinLogins;
  return {
    id: 'traffic',
    tone: isEnough ? 'ok' : 'mute',
    glyph: isEnough ? 'check' : 'unknown',
    isDeciding: false,
    text: isEnough ? 'Enough attempts to judge' : 'Few attempts to judge by',
    value: compare(count(attempts), count(limits.failureMinLogins), isEnough ? '≥' : '<'),
    why: isEnough
      ? ''
      : 'The look-back grows up to 5 min to reach the limit (HOST_FAILURE_MIN_LOGINS), else the verdict is unknown.',
  };
}

function critical(failure: Failure, limits: Limits, verdict: Verdict): Rung {
  return limitRung(failure, {
    id: 'critical',
    name: 'critical',
    limit: limits.failureCriticalRatio,
    windowSecs: limits.failureCriticalWindowSecs,
    isDeciding: verdict === 'critical',
    tone: 'crit',
    glyph: 'critical',
  });
}

function degraded(failure: Failure, limits: Limits, verdict: Verdict): Rung {
  return limitRung(failure, {
    id: 'degraded',
    name: 'degraded',
    limit: limits.failureRatio,
    windowSecs: limits.failureWindowSecs,
    isDeciding: verdict === 'degraded',
    tone: 'warn',
    glyph: 'degraded',
  });
}

interface LimitRule {
  readonly id: string;
  readonly name: string;
  readonly limit: number;
  readonly windowSecs: number;
  readonly isDeciding: boolean;
  readonly tone: 'crit' | 'warn';
  readonly glyph: Glyph;
}

function limitRung(failure: Failure, rule: LimitRule): Rung {
  const { id, name, limit, isDeciding } = rule;
  const ratio = failure?.worstRatio ?? null;
  const look = `Over ${duration(failure?.windowSecs ?? rule.windowSecs)}`;
  if (failure === null || ratio === null) {
    const text = `Failure rate against the ${name} limit is not known`;
    const why = `${look} there were no attempts, or no counters.`;
    const value = `— , limit ${percent(limit)}`;
    return { id, tone: 'mute', glyph: 'unknown', text, isDeciding, value, why };
  }
  const isOver = ratio > limit;
  return {
    id,
    tone: isOver ? rule.tone : 'ok',
    glyph: isOver ? rule.glyph : 'check',
    text: `Failure rate is ${isOver ? 'over' : 'under'} the ${name} limit`,
    isDeciding,
    value: compare(percent(ratio), percent(limit), isOver ? '>' : '≤'),
    why: `${look}, ${blame(failure)}.`,
  };
}

/** The worst of logins, deliveries and both counts; this names the parts. */
function blame({ logins, deliveries }: NonNullable<Failure>): string {
  return `logins ${part(logins)}, deliveries ${part(deliveries)}`;
}

function part({ succeeded, failed, ratio }: NonNullable<Failure>['logins']): string {
  if (ratio === null) return 'none';
  return `${percent(ratio)} (${count(failed)} of ${count(succeeded + failed)})`;
}

function attemptsOf({ logins, deliveries }: NonNullable<Failure>): number {
  return Math.round(logins.succeeded + logins.failed + deliveries.succeeded + deliveries.failed);
}

function compare(value: string, limit: string, sign: string): string {
  return `${value} ${sign} ${limit}`;
}
