/** A cluster of twelve Backends for looking at the UI without servers; typed by the API's schema. */
import type {
  Backend,
  BackendDetail,
  Decision,
  Features,
  Operation,
  Overview,
  Reachability,
  Task,
  User,
} from '../../ui/src/api/model.ts';
import { balanceOf, balancing } from './ui-balancing-fixture.ts';

export type Scenario = 'busy' | 'calm' | 'blind' | 'catastrophe' | 'recovered';

const SITE = 'helsinki-1';
const SITE_ID = '11111111-1111-4111-8111-111111111111';
const LIMITS = {
  failureRatio: 0.1,
  failureCriticalRatio: 0.9,
  failureMinLogins: 100,
  failureWindowSecs: 60,
  failureCriticalWindowSecs: 30,
};

/** The generated type of a nullable enum forgets its null. */
const UNSET = null as unknown as Features['settings'][number]['formerState'];

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const ulid = (n: number): string => `01JTESTFIXTURE${String(n).padStart(12, '0')}`;

const USERS = [
  116_204, 112_877, 121_904, 117_350, 124_618, 114_932, 55_896, 113_408, 117_021, 108_366, 100_906,
  0,
];

function failure(ratio: number, windowSecs: number): NonNullable<Backend['failure']> {
  const attempts = 9000;
  const failed = Math.round(attempts * ratio);
  const part = { succeeded: attempts - failed, failed, ratio };
  return { windowSecs, logins: part, deliveries: { ...part, ratio: ratio / 2 }, worstRatio: ratio };
}

export function decision(n: number, part: Partial<Decision>, nowMs: number): Decision {
  return {
    decisionId: ulid(n),
    siteName: SITE,
    task: 'check_backend_health',
    kind: 'nothing',
    reason: 'Healthy',
    hosts: [],
    backendId: null,
    operationId: null,
    isDryRun: false,
    numbers: {},
    limitingSetting: null,
    detail: null,
    snapshotId: 'a'.repeat(64),
    recordedAtMs: nowMs - 60_000,
    repeats: 1,
    lastRepeatedAtMs: nowMs - 60_000,
    ...part,
  };
}

export function decisions(nowMs: number): Decision[] {
  const at = (secs: number) => ({
    recordedAtMs: nowMs - secs * 1000,
    lastRepeatedAtMs: nowMs - secs * 1000,
  });
  const healthy = [1, 2, 4, 5, 6, 8, 9, 10, 11].map((n) => host(n));
  return [
    decision(
      1,
      { hosts: healthy, repeats: 426, recordedAtMs: nowMs - 25_600_000, lastRepeatedAtMs: nowMs },
      nowMs,
    ),
    decision(
      2,
      {
        hosts: ['mail03'],
        reason: 'CoolTime',
        limitingSetting: 'HOST_FAILURE_COOL_TIME_SECS',
        numbers: { failureRatio: 0.142, leftSecs: 120 },
        ...at(0),
      },
      nowMs,
    ),
    decision(
      3,
      {
        task: 'rebalance_sites',
        kind: 'rebalance',
        reason: 'ScoreDelta',
        hosts: ['mail05'],
        isDryRun: true,
        numbers: { scoreDelta: 10.03, threshold: 3 },
        ...at(38),
      },
      nowMs,
    ),
    decision(
      4,
      {
        kind: 'evacuate',
        reason: 'FailureRateCritical',
        hosts: ['mail07'],
        backendId: id(7),
        operationId: ulid(70),
        numbers: { failureRatio: 0.958, limit: 0.9, windowSecs: 30, attempts: 4210 },
        ...at(1230),
      },
      nowMs,
    ),
    decision(
      5,
      {
        kind: 'movePartially',
        reason: 'FailureRateDegraded',
        hosts: ['mail03'],
        numbers: { failureRatio: 0.118, limit: 0.1, windowSecs: 60 },
        ...at(1500),
      },
      nowMs,
    ),
    decision(
      6,
      { hosts: ['mail10'], reason: 'FeatureDisabled', detail: 'set at Backend level', ...at(1501) },
      nowMs,
    ),
  ];
}

function host(n: number): string {
  return `mail${String(n).padStart(2, '0')}`;
}

const RATIOS = [0.004, 0.003, 0.142, 0.005, 0.008, 0.003, 0.958, 0.002, 0.006, 0.004, 0.003];

export function backends(scenario: Scenario, nowMs: number): Backend[] {
  const all = decisions(nowMs);
  return USERS.map((users, index): Backend => {
    const n = index + 1;
    const isStandby = n === 12;
    const ratio = ratioOf(n, scenario);
    const verdict = isStandby
      ? 'unknown'
      : ratio > 0.9
        ? 'critical'
        : ratio > 0.1
          ? 'degraded'
          : 'healthy';
    const isReachable = scenario !== 'busy' || n !== 8;
    const isGone = scenario === 'recovered' && n === 7;
    const own = all.find(({ hosts }) => hosts.includes(host(n))) ?? null;
    return {
      id: id(n),
      host: host(n),
      siteName: SITE,
      status: isStandby ? 'standby' : isGone ? 'offline' : 'online',
      loadFactor: n === 10 ? 80 : 100,
      verdict: isGone ? 'unknown' : verdict,
      verdictSinceMs: nowMs - 1_290_000,
      judgedAtMs: nowMs - 3000,
      users: isGone ? 0 : users,
      usersCountedAtMs: nowMs - 4000,
      sessions: isStandby ? 0 : Math.round(users / 3.2),
      failure: isStandby ? null : failure(ratio, 60),
      criticalFailure: isStandby ? null : failure(ratio, 30),
      load: {
        cpu: 3.2 + n / 10,
        memoryBytes: 60e9 + n * 1e9,
        metacacheBytes: 46e9,
        samples: 9000,
      },
      balancing: balanceOf(n, isReachable),
      doveadm: {
        isReachable,
        failure: isReachable ? null : 'Timeout',
        sinceMs: nowMs - 400_000,
        checkedAtMs: nowMs - 2000,
      },
      isOfflineByController: isGone,
      foreignMoves: null,
      operatorHoldUntilMs: null,
      operationId: scenario === 'busy' && n === 7 ? ulid(70) : null,
      lastDecision: isStandby ? decision(9, { reason: 'Standby', hosts: ['mail12'] }, nowMs) : own,
    };
  });
}

function ratioOf(n: number, scenario: Scenario): number {
  const base = RATIOS[n - 1] ?? 0;
  if (scenario === 'catastrophe' && n <= 7) return 0.97;
  if (scenario === 'busy' || scenario === 'blind') return base;
  return n === 3 || n === 7 ? 0.004 : base;
}

export function operations(nowMs: number): Operation[] {
  const base: Operation = {
    operationId: ulid(70),
    siteName: SITE,
    kind: 'evacuation',
    cause: 'health',
    isAutomatic: true,
    sourceId: id(7),
    sourceHost: 'mail07',
    targets: [],
    state: 'running',
    stateReason: null,
    isEnded: false,
    allowedActions: ['pause', 'cancel', 'speed'],
    requestedBy: 'check_backend_health',
    reason: 'failure rate critical',
    decisionId: ulid(4),
    originalCount: 108_420,
    round: 3,
    counts: { planned: 65_052, confirmed: 51_206, skipped: 1318, failed: 37, remaining: 12_491 },
    confirmedPerSec: 42.7,
    stuck: 37,
    forced: 0,
    speedPercent: 100,
    createdAtMs: nowMs - 1_230_000,
    startedAtMs: nowMs - 1_230_000,
    firstConfirmedAtMs: nowMs - 1_222_000,
    endedAtMs: null,
    updatedAtMs: nowMs - 600,
  };
  const paused: Operation = {
    ...base,
    operationId: ulid(50),
    kind: 'batchMove',
    cause: 'operator',
    isAutomatic: false,
    sourceId: id(5),
    sourceHost: 'mail05',
    targets: [{ backendId: id(11), host: 'mail11' }],
    state: 'paused',
    stateReason: 'leave budget to Evacuation',
    allowedActions: ['resume', 'cancel'],
    requestedBy: 'session:operator',
    reason: 'mail05 is full',
    decisionId: null,
    originalCount: 1200,
    round: 1,
    counts: { planned: 1200, confirmed: 372, skipped: 0, failed: 0, remaining: 828 },
    confirmedPerSec: 0.3,
    stuck: 0,
    updatedAtMs: nowMs - 1_178_000,
  };
  const done: Operation = {
    ...base,
    operationId: ulid(20),
    sourceId: id(2),
    sourceHost: 'mail02',
    state: 'done',
    isEnded: true,
    allowedActions: [],
    counts: { planned: 2210, confirmed: 2210, skipped: 0, failed: 0, remaining: 0 },
    originalCount: 2210,
    round: 5,
    stuck: 0,
    endedAtMs: nowMs - 86_000_000,
    startedAtMs: nowMs - 86_060_000,
    createdAtMs: nowMs - 86_060_000,
    updatedAtMs: nowMs - 86_000_000,
  };
  return [base, paused, done];
}

export function overview(scenario: Scenario, nowMs: number, isPaused: boolean): Overview {
  const all = backends(scenario, nowMs);
  const isBlind = scenario === 'blind';
  const open = operations(nowMs).filter(({ isEnded }) => !isEnded);
  const many = (test: (backend: Backend) => boolean) => all.filter(test).length;
  return {
    nowMs,
    site: site(SITE, true, all.length),
    ownership: { isOwner: true, owner: 'lab/default', epoch: 1 },
    automation: automation(isPaused, nowMs),
    features: features().effective,
    metrics: {
      view: {
        blindReason: isBlind ? 'PrometheusUnreachable' : null,
        proxiesExpected: 4,
        proxiesSeen: isBlind ? 0 : 4,
        newestSampleMs: nowMs - (isBlind ? 626_000 : 3000),
        scrapeIntervalSecs: 5,
      },
      source: isBlind ? 'none' : 'cache',
      isBlind,
      takenAtMs: nowMs - 1000,
      ageSecs: isBlind ? 626 : 3,
      maxAgeSecs: 30,
    },
    catastrophe: {
      isHolding: scenario === 'catastrophe',
      sharePercent: scenario === 'catastrophe' ? 63.6 : scenario === 'busy' ? 18.2 : 0,
      thresholdPercent: 50,
      failingHosts:
        scenario === 'catastrophe' ? [1, 2, 3, 4, 5, 6, 7].map(host) : ['mail03', 'mail07'],
      decisionId: ulid(4),
      sinceMs: scenario === 'catastrophe' ? nowMs - 90_000 : null,
    },
    balancing: balancing(nowMs, decision),
    limits: LIMITS,
    backends: all,
    operations: scenario === 'busy' ? open : [],
    decisions: decisions(nowMs),
    counts: {
      users: USERS.reduce((sum, users) => sum + users, 0),
      backends: all.length,
      online: many(({ status }) => status === 'online'),
      offline: many(({ status }) => status === 'offline'),
      standby: many(({ status }) => status === 'standby'),
      healthy: many(({ verdict, status }) => verdict === 'healthy' && status === 'online'),
      degraded: many(({ verdict }) => verdict === 'degraded'),
      critical: many(({ verdict }) => verdict === 'critical'),
      unknown: many(({ verdict }) => verdict === 'unknown'),
      openOperations: scenario === 'busy' ? 2 : 0,
      siteFailureRatio: isBlind ? null : scenario === 'busy' ? 0.063 : 0.004,
      attemptsPerSec: isBlind ? null : 1842,
    },
    reachability: { sites: 2, unreachable: 0 },
    foreignMoves: {
      scannedAtMs: nowMs,
      isPartial: false,
      users: 0,
      oldestSeenAtMs: null,
      sources: [],
    },
    overdueTasks: [],
    pausedTasks: [],
    strandedUsers: 0,
    dependencies: {
      cassandra: { ok: true },
      temporal: { ok: true },
      redis: { ok: true },
      prometheus: isBlind ? { ok: false, error: 'connection refused' } : { ok: true },
    },
  };
}

export function automation(isPaused: boolean, nowMs: number): Overview['automation'] {
  return {
    siteName: SITE,
    state: isPaused ? 'paused' : 'running',
    setBy: isPaused ? 'session:operator' : null,
    reason: isPaused ? 'storage maintenance' : null,
    setAtMs: isPaused ? nowMs - 60_000 : null,
    untilMs: null,
  };
}

export function site(name: string, isHome: boolean, backendCount: number): Overview['site'] {
  return {
    id: isHome ? SITE_ID : id(900 + backendCount),
    name,
    status: 'online',
    loadBalancer: null,
    tag: null,
    isHome,
    backendCount,
    onlineBackendCount: backendCount - 1,
  };
}

export function features(): Features {
  const at = (level: 'global' | 'site' | 'backend', targetId: string, targetName: string | null) =>
    ({ kind: 'level', level, targetId, targetName }) as const;
  const global = at('global', '00000000-0000-0000-0000-000000000000', null);
  const effective: Features['effective'] = [
    { feature: 'MetricsExport', state: 'enabled', decidedBy: global },
    { feature: 'BackendHealthAutoHandling', state: 'enabled', decidedBy: global },
    { feature: 'BackendLoadBalancing', state: 'dryRun', decidedBy: at('site', SITE_ID, SITE) },
  ];
  const setting = (part: Partial<Features['settings'][number]>): Features['settings'][number] => ({
    feature: 'MetricsExport',
    level: 'global',
    targetId: '00000000-0000-0000-0000-000000000000',
    targetName: null,
    state: 'enabled',
    setBy: null,
    reason: null,
    setAtMs: null,
    expiresAtMs: null,
    formerState: UNSET,
    ...part,
  });
  return {
    siteName: SITE,
    isTableMissing: false,
    effective,
    backends: USERS.map((_, index) => ({
      backendId: id(index + 1),
      host: host(index + 1),
      effective:
        index === 9
          ? effective.map((each) =>
              each.feature === 'BackendHealthAutoHandling'
                ? { ...each, state: 'disabled', decidedBy: at('backend', id(10), 'mail10') }
                : each,
            )
          : effective,
    })),
    settings: [
      setting({}),
      setting({ feature: 'BackendHealthAutoHandling', setBy: 'session:operator', reason: 'go' }),
      setting({ feature: 'BackendLoadBalancing' }),
      setting({
        feature: 'BackendLoadBalancing',
        level: 'site',
        targetId: SITE_ID,
        targetName: SITE,
        state: 'dryRun',
        setBy: 'session:operator',
        reason: 'observe for 7 days',
        setAtMs: Date.now() - 86_400_000,
        expiresAtMs: Date.now() + 6 * 86_400_000,
        formerState: 'enabled',
      }),
      setting({
        feature: 'BackendHealthAutoHandling',
        level: 'backend',
        targetId: id(10),
        targetName: 'mail10',
        state: 'disabled',
        setBy: 'session:operator',
        reason: 'kernel soak, restarts expected',
        expiresAtMs: Date.now() + 9 * 3_600_000,
      }),
    ],
  };
}

export function backendDetail(
  scenario: Scenario,
  name: string,
  nowMs: number,
): BackendDetail | null {
  const found = backends(scenario, nowMs).find((each) => each.host === name);
  if (found === undefined) return null;
  const own = decisions(nowMs).filter(({ hosts }) => hosts.includes(name));
  return {
    ...found,
    isHome: true,
    features:
      features().backends.find((each) => each.host === name)?.effective ?? features().effective,
    lastDecisions: own,
  };
}

export function tasks(nowMs: number): Task[] {
  const task = (
    name: Task['task'],
    intervalSecs: number | null,
    part: Partial<Task> = {},
  ): Task => ({
    task: name,
    intervalSecs,
    lastStartedAtMs: nowMs - 4100,
    lastSucceededAtMs: nowMs - 4000,
    lastSuccessAgeSecs: 4,
    lastDurationMs: 212,
    lastError: null,
    lastErrorAtMs: null,
    failingSinceMs: null,
    outcomes: { nothing: 11, acted: 1 },
    isPaused: false,
    pausedNote: null,
    nextRunAtMs: nowMs + 2000,
    isOverdue: false,
    ...part,
  });
  return [
    task('cache_metrics', 5, { outcomes: {} }),
    task('scrape_stats', null, { outcomes: {}, nextRunAtMs: null, isPaused: null }),
    task('check_user_moves', 5),
    task('rebalance_sites', 60, { outcomes: { nothing: 1 } }),
    task('check_backend_health', 60),
    task('evacuate_zero_load_factor_hosts', 60, {
      lastError: 'Cassandra does not answer as it should: Timeout',
      lastErrorAtMs: nowMs - 1_950_000,
    }),
    task('check_site_reachability', 60, {
      isOverdue: true,
      lastSucceededAtMs: nowMs - 400_000,
      lastSuccessAgeSecs: 400,
      lastError: 'Cassandra does not answer as it should: Timeout',
      lastErrorAtMs: nowMs - 4000,
      failingSinceMs: nowMs - 340_000,
    }),
    task('delete_stale_data', 86_400, { isPaused: true, pausedNote: 'keep history for the audit' }),
  ];
}

export function reachability(nowMs: number): Reachability {
  const pair = (source: string, target: string, isReachable: boolean) => ({
    source,
    target,
    isReachable,
    checkedAtMs: nowMs - 12_000,
  });
  return {
    sites: [SITE, 'tampere-1', 'frankfurt-1'],
    pairs: [
      pair(SITE, 'tampere-1', true),
      pair(SITE, 'frankfurt-1', true),
      pair('tampere-1', SITE, true),
      pair('tampere-1', 'frankfurt-1', false),
      pair('frankfurt-1', SITE, true),
    ],
  };
}

export function user(username: string, nowMs: number): User | null {
  if (!username.startsWith('u-')) return null;
  return {
    username,
    home: { backendId: id(7), host: 'mail07', siteName: SITE },
    alternative: { backendId: id(11), host: 'mail11', siteName: SITE },
    isMoving: true,
    lastMovedMs: nowMs - 53 * 86_400_000,
    moves: [
      {
        operationId: ulid(70),
        username,
        chunk: 12,
        sourceId: id(7),
        sourceHost: 'mail07',
        targetId: id(11),
        targetHost: 'mail11',
        state: 'sent',
        reason: null,
        attempts: 2,
        isForced: false,
        sentAtMs: nowMs - 90_000,
        endedAtMs: null,
      },
      {
        operationId: ulid(20),
        username,
        chunk: 1,
        sourceId: id(2),
        sourceHost: 'mail02',
        targetId: id(7),
        targetHost: 'mail07',
        state: 'confirmed',
        reason: null,
        attempts: 1,
        isForced: false,
        sentAtMs: nowMs - 53 * 86_400_000,
        endedAtMs: nowMs - 53 * 86_400_000 + 1800,
      },
    ],
  };
}
