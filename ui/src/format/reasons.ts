/** The one table from reason codes to sentences. A sentence uses the numbers where the decision has them. */
import { count, percent, percentValue, signed } from './number.ts';
import { duration } from './time.ts';

export interface ReasonFacts {
  readonly numbers: Readonly<Record<string, number>>;
  readonly limitingSetting: string | null;
  readonly detail: string | null;
  /** One Backend: "it is"; several: "they are"; none: the Site. */
  readonly hostCount: number;
}

type Sentence = string | ((facts: ReasonFacts) => string);

/** Every sentence continues "... because". */
export const REASON_SENTENCES: Readonly<Record<string, Sentence>> = {
  Healthy: ({ hostCount }) => (hostCount > 1 ? 'all are healthy' : 'it is healthy'),
  FeatureDisabled: (facts) => `the feature is Disabled${at(facts)}`,
  AutomationPaused: 'automation is paused',
  Blind: ({ detail }) => `the metrics cannot be trusted: ${blindSentence(detail)}`,
  UnknownTooFewAttempts: (facts) =>
    `there were too few attempts to judge${against(facts, 'attempts', 'minAttempts', count)}`,
  CatastropheProtection: (facts) =>
    `too many Backends fail at once${against(facts, 'sharePercent', 'thresholdPercent', percentValue)}`,
  CoolTime: (facts) => `its cool time is not over${left(facts)}`,
  DegradedNotLongEnough: (facts) =>
    `it is degraded, but not for a whole look-back yet${failureRate(facts)}`,
  OperationRunning: 'an Operation already runs there',
  OperatorHold: (facts) => `an operator cancelled the last Operation there${left(facts)}`,
  NoTarget: 'no other Backend may take Users',
  NoUsers: 'no User lives there',
  Offline: ({ hostCount }) => (hostCount > 1 ? 'they are offline' : 'it is offline'),
  OfflineByOperator: 'an operator set it offline',
  Standby: ({ hostCount }) => (hostCount > 1 ? 'they are in standby' : 'it is in standby'),
  RecoveryNotProven: (facts) =>
    `the proxies have not seen it answer often enough${against(facts, 'successes', 'minSuccesses', count)}`,
  HoldDown: (facts) => `it is held offline for a while, longer after each return${left(facts)}`,
  NoMovesInFlight: 'no move is in flight',
  MovesOnTime: 'all moves are on time',
  NotTheOwner: 'another controller owns this Site',
  BelowThreshold: (facts) =>
    `the load score difference is below the threshold${against(facts, 'scoreDelta', 'threshold', plain)}`,
  TooFewEligible: 'fewer than two Backends may take part',
  CannotImprove: 'no move would make it better',
  UsersResting: 'all Users of the most loaded Backend were moved lately and rest for now',
  LoadFactorNotZero: 'no load factor is 0',
  NothingStale: 'nothing is stale',
  AutoHandlingRestricted: 'automatic health handling is restricted for it',
  NoBackends: 'the Site has no Backend',
  FailureRateCritical: (facts) =>
    `its failure rate is over the critical limit${failureRate(facts)}`,
  FailureRateDegraded: (facts) =>
    `its failure rate is over the degraded limit${failureRate(facts)}`,
  FailureRateRecovered: (facts) => `its failure rate is back to normal${failureRate(facts)}`,
  EmptyAndCritical: 'it is failing and no User lives there any more',
  ProbesSucceed: (facts) => `the proxies see it answer again${successes(facts)}`,
  OnlineByOperator: 'an operator brought it back, so it takes new Users again',
  ProtectionEnded: 'catastrophe protection has ended',
  AutomationResumed: 'automation runs again',
  MoveStuck: 'moves take too long',
  RetriesExhausted: 'retries did not help',
  MoverMissing: 'nothing was working on it',
  SourceSilent: 'the Backend that they leave does not answer',
  ScoreDelta: (facts) =>
    `the load score difference is over the threshold${against(facts, 'scoreDelta', 'threshold', plain)}${projected(facts)}`,
  LoadFactorZero: 'its load factor is 0',
  LoadFactorRaised: 'its load factor is no longer 0',
  Orphaned: 'the rows belong to nothing any more',
};

const BLIND_SENTENCES: Readonly<Record<string, string>> = {
  PrometheusUnreachable: 'Prometheus does not answer',
  PrometheusBadAnswer: 'Prometheus gave an answer that cannot be read',
  MetricsTooOld: 'the newest metrics are too old',
  TooFewProxies: 'too few proxies are scraped',
  NoProxies: 'no proxy is scraped',
  LabelsMissing: 'no counter of the proxies says which Backend it counts (dest_host)',
  MetricsExportOff: 'MetricsExport is off',
};

/** A sentence for a reason code; an unknown code is shown as it is. */
export function reasonSentence(code: string, facts: ReasonFacts): string {
  const sentence = REASON_SENTENCES[code];
  if (sentence === undefined) return code;
  return typeof sentence === 'string' ? sentence : sentence(facts);
}

export function isReasonCode(text: string): boolean {
  return text in REASON_SENTENCES;
}

/** Why the metrics cannot be trusted. */
export function blindSentence(code: string | null): string {
  if (code === null) return 'the cause is not known';
  return BLIND_SENTENCES[code] ?? code;
}

function at({ detail }: ReasonFacts): string {
  return detail === null || detail === '' ? '' : ` (${detail})`;
}

function plain(value: number): string {
  return value.toFixed(2);
}

/** ": 13 of 20 attempts" needs both sides; one alone is still said. */
function against(
  { numbers }: ReasonFacts,
  value: string,
  limit: string,
  format: (n: number) => string,
): string {
  const is = numbers[value];
  const allowed = numbers[limit];
  if (is === undefined) return '';
  return allowed === undefined ? `: ${format(is)}` : `: ${format(is)}, limit ${format(allowed)}`;
}

/** "; scores +4.70 → +3.90 and −5.34 → −4.40": before and after the move. */
function projected({ numbers }: ReasonFacts): string {
  const step = (before: string, after: string): string =>
    `${signed(numbers[before])} → ${signed(numbers[after])}`;
  if (numbers['projectedSourceScore'] === undefined) return '';
  const source = step('sourceScore', 'projectedSourceScore');
  return `; scores ${source} and ${step('targetScore', 'projectedTargetScore')}`;
}

function failureRate({ numbers }: ReasonFacts): string {
  const ratio = numbers['failureRatio'];
  if (ratio === undefined) return '';
  const limit = numbers['limit'] ?? numbers['limitRatio'] ?? numbers['threshold'];
  const windowSecs = numbers['windowSecs'];
  const look = windowSecs === undefined ? '' : ` over ${duration(windowSecs)}`;
  return `: ${percent(ratio)}${look}${limit === undefined ? '' : `, limit ${percent(limit)}`}`;
}

function successes({ numbers }: ReasonFacts): string {
  const good = numbers['successes'];
  if (good === undefined) return '';
  const windowSecs = numbers['windowSecs'];
  return `: ${count(good)} without a failure${windowSecs === undefined ? '' : ` in ${duration(windowSecs)}`}`;
}

function left({ numbers }: ReasonFacts): string {
  const secs = numbers['leftSecs'] ?? numbers['remainingSecs'];
  if (secs !== undefined) return `: ${duration(secs)} left`;
  const hold = numbers['holdSecs'];
  const held = numbers['heldSecs'];
  if (hold === undefined) return '';
  if (held === undefined) return `: ${duration(hold)} in all`;
  return `: ${duration(held)} of ${duration(hold)}`;
}
