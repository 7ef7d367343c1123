/** The settings of the policies; they reach a decision inside its snapshot. Units are in the names. */
export interface PolicySettings {
  /** HOST_FAILURE_RATIO: failures / attempts above it: degraded. */
  readonly failureRatio: number;
  readonly failureCriticalRatio: number;
  readonly failureCriticalWindowSecs: number;
  readonly failureWindowSecs: number;
  readonly failureMinLogins: number;
  readonly failureCoolTimeSecs: number;
  /** HOST_FAILURE_BACKEND_NUM_THRESHOLD, per cent. */
  readonly failureBackendNumThresholdPercent: number;
  readonly loadBalanceScoreDeltaThresholdRatio: number;
  readonly loadBalanceMinCoolTimeSecs: number;
  readonly loadBalanceBackendCoolTimeSecs: number;
  readonly loadBalanceMinSamples: number;
  readonly loadBalanceMinSpread: number;
  readonly loadBalanceMoveRatio: number;
  readonly degradedMoveRatio: number;
  readonly evacuateStepRatio: number;
  readonly recoveryMinSuccesses: number;
  readonly recoveryWindowSecs: number;
  readonly recoveryMaxHoldSecs: number;
  readonly userMoveStuckSecs: number;
  readonly userMoveMaxRetries: number;
  readonly foreignMoveStuckSecs: number;
  readonly maxParallelMoves: number;
  readonly maxParallelInflow: number;
  readonly metricsMaxAgeSecs: number;
  readonly metricsMinProxyShare: number;
}

/** The longest look-back for a verdict, seconds. */
export const MAX_LOOK_BACK_SECS = 300;

/** The look-backs that verdicts and recovery need, ascending, in seconds. */
export function lookBacksOf(settings: PolicySettings): number[] {
  const wanted = [
    settings.failureCriticalWindowSecs,
    settings.failureWindowSecs,
    settings.recoveryWindowSecs,
    2 * settings.failureWindowSecs,
    MAX_LOOK_BACK_SECS / 2,
    MAX_LOOK_BACK_SECS,
  ];
  const within = wanted.filter((secs) => secs <= MAX_LOOK_BACK_SECS);
  return [...new Set(within)].sort((a, b) => a - b);
}
