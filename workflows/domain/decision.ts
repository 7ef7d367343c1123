/** A decision: what to do and why, with the numbers that mattered. "Nothing, because ..." is one too. */
export const TASK_NAMES = [
  'cache_metrics',
  'scrape_stats',
  'check_user_moves',
  'rebalance_sites',
  'check_backend_health',
  'evacuate_zero_load_factor_hosts',
  'check_site_reachability',
  'delete_stale_data',
] as const;
export type TaskName = (typeof TASK_NAMES)[number];

export const DECISION_KINDS = [
  'nothing',
  'evacuate',
  'endEvacuation',
  'movePartially',
  'setOffline',
  'setOnline',
  'pauseOperation',
  'resumeOperation',
  'retryMoves',
  'forceMoves',
  'restartMover',
  'finishMoves',
  'rebalance',
  'drain',
  'endDrain',
  'deleteRows',
] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

export const REASONS = [
  // nothing
  'Healthy',
  'FeatureDisabled',
  'AutomationPaused',
  'Blind',
  'UnknownTooFewAttempts',
  'CatastropheProtection',
  'CoolTime',
  'DegradedNotLongEnough',
  'OperationRunning',
  'OperatorHold',
  'NoTarget',
  'NoUsers',
  'Offline',
  'OfflineByOperator',
  'Standby',
  'RecoveryNotProven',
  'HoldDown',
  'NoMovesInFlight',
  'MovesOnTime',
  'NotTheOwner',
  'BelowThreshold',
  'TooFewEligible',
  'CannotImprove',
  'UsersResting',
  'LoadFactorNotZero',
  'NothingStale',
  'AutoHandlingRestricted',
  'NoBackends',
  // acting
  'FailureRateCritical',
  'FailureRateDegraded',
  'FailureRateRecovered',
  'EmptyAndCritical',
  'ProbesSucceed',
  'OnlineByOperator',
  'ProtectionEnded',
  'AutomationResumed',
  'MoveStuck',
  'RetriesExhausted',
  'MoverMissing',
  'SourceSilent',
  'ScoreDelta',
  'LoadFactorZero',
  'LoadFactorRaised',
  'Orphaned',
] as const;
export type Reason = (typeof REASONS)[number];

/** How a policy answers. Equal "nothing" answers for several Backends are one decision with all their hosts. */
export interface Decision {
  readonly task: TaskName;
  readonly kind: DecisionKind;
  readonly reason: Reason;
  /** The Backends that it is about, sorted; empty: the site as a whole. */
  readonly hosts: readonly string[];
  /** The Backend acted upon; null for "nothing" and for the site. */
  readonly backendId: string | null;
  readonly operationId: string | null;
  /** True: decided, recorded, not carried out. */
  readonly isDryRun: boolean;
  readonly numbers: Readonly<Record<string, number>>;
  readonly limitingSetting: string | null;
  /** A word that the reason needs: a blind reason, a limiting flag level, a chunk list. */
  readonly detail: string | null;
}

export interface RecordedDecision extends Decision {
  /** ULID. */
  readonly decisionId: string;
  readonly siteName: string;
  readonly snapshotId: string;
  readonly recordedAtMs: number;
  /** Equal consecutive "nothing" decisions are one row. */
  readonly repeats: number;
  readonly lastRepeatedAtMs: number;
}

/** A decision with the fields that are seldom set left out. */
export function newDecision(
  task: TaskName,
  kind: DecisionKind,
  reason: Reason,
  fields: Partial<Decision> = {},
): Decision {
  return {
    task,
    kind,
    reason,
    hosts: [],
    backendId: null,
    operationId: null,
    isDryRun: false,
    numbers: {},
    limitingSetting: null,
    detail: null,
    ...fields,
  };
}
