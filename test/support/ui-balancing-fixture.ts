/** Load scores of the twelve Backends of the UI fixture. */
import type { Backend, Overview } from '../../ui/src/api/model.ts';
import type { decision } from './ui-fixtures.ts';

type Balance = NonNullable<Backend['balancing']>;
/** The generated type of a nullable enum forgets its null. */
const TAKES_PART = null as unknown as Balance['exclusion'];

const taking = (memory: number, cpu: number, metacache: number): Balance => ({
  exclusion: TAKES_PART,
  score: Math.round((memory + cpu + metacache) * 100) / 100,
  parts: { memory, cpu, metacache },
});
const out = (exclusion: NonNullable<Balance['exclusion']>): Balance => ({
  exclusion,
  score: null,
  parts: { memory: null, cpu: null, metacache: null },
});

const BALANCES: readonly Balance[] = [
  taking(0.02, -0.07, 0),
  out('CoolTime'),
  out('Failing'),
  taking(0.32, 0.2, 0.55),
  taking(1.4, 1.28, 2.02),
  taking(-0.14, 0.07, -0.18),
  out('OperationRunning'),
  taking(-0.6, -0.6, -0.55),
  taking(0.48, 0.34, 0.37),
  taking(-0.91, -1.01, -0.92),
  taking(-1.83, -1.68, -1.83),
  out('Standby'),
];

export function balanceOf(n: number, isReachable: boolean): Balance {
  if (!isReachable) return out('DoveadmUnreachable');
  return BALANCES[n - 1] ?? out('NotMeasured');
}

export function balancing(nowMs: number, decide: typeof decision): Overview['balancing'] {
  const numbers = {
    scoreDelta: 10.04,
    threshold: 3,
    sourceScore: 4.7,
    targetScore: -5.34,
    users: 6230,
    projectedSourceScore: 3.9,
    projectedTargetScore: -4.4,
    spreadPercent: 9.2,
    projectedSpreadPercent: 7.6,
  };
  const plan = {
    kind: 'rebalance',
    reason: 'ScoreDelta',
    hosts: ['mail05', 'mail11'],
    isDryRun: true,
    numbers,
    limitingSetting: 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO',
    detail: null,
  } as const;
  return {
    mostLoadedHost: 'mail05',
    leastLoadedHost: 'mail11',
    scoreDelta: 10.04,
    threshold: 3,
    spreadPercent: 9.2,
    eligible: 8,
    moveRatio: 0.05,
    userCoolTimeSecs: 3600,
    backendCoolTimeSecs: 300,
    minSamples: 3000,
    wouldNow: { ...plan, hosts: [...plan.hosts] },
    lastDecision: decide(
      8,
      {
        ...plan,
        hosts: [...plan.hosts],
        task: 'rebalance_sites',
        recordedAtMs: nowMs - 40_000,
        lastRepeatedAtMs: nowMs - 40_000,
      },
      nowMs,
    ),
  };
}
