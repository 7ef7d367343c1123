import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../api/app.ts';
import {
  backendIdOf,
  createApiWorld,
  NORTH,
  ORIGIN,
  recordedDecision,
  runningOperation,
  SOUTH,
  USERS_ON_FIRST,
  type ApiWorld,
  SITE,
} from '../support/api-world.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import { aSnapshot } from '../support/cluster-builders.ts';
import type { LedgerRow } from '../../workflows/domain/user-move.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world.close();
});

async function get<T>(path: string): Promise<T> {
  const response = await world.ask('viewer', 'GET', `/api/v1${path}`);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as T;
}

describe('sites', () => {
  it('are listed, the home site marked', async () => {
    const { sites } = await get<{ sites: unknown[] }>('/sites');
    expect(sites).toMatchObject([
      { name: SITE, isHome: true, backendCount: 4, onlineBackendCount: 4 },
      { name: 'south', isHome: false, backendCount: 1 },
    ]);
  });

  it('are found by name and by id', async () => {
    expect(await get('/sites/south')).toMatchObject({ id: SOUTH });
    expect(await get(`/sites/${NORTH}`)).toMatchObject({ name: SITE });
  });

  it('show which reaches which', async () => {
    await world.cql(
      `INSERT INTO {geodb}.site_reachability (src_site_id, dest_site_id, reachable, checked_at)
         VALUES (?, ?, 0, 1700000000000)`,
      [NORTH, SOUTH],
    );
    expect(await get('/reachability')).toEqual({
      sites: [SITE, 'south'],
      pairs: [
        { source: SITE, target: 'south', isReachable: false, checkedAtMs: 1_700_000_000_000 },
      ],
    });
  });
});

describe('backends', () => {
  it('are those of the home site, or of the one asked for', async () => {
    const home = await get<{ backends: { host: string }[] }>('/backends');
    expect(home.backends.map(({ host }) => host)).toEqual([
      'north-mail1',
      'north-mail2',
      'north-mail3',
      'north-mail4',
    ]);
    expect(await get('/backends?site=south')).toMatchObject({
      backends: [{ host: 'south-mail1' }],
    });
  });

  it('say unknown where nothing was judged, and count users', async () => {
    expect(await get('/backends/north-mail1')).toMatchObject({
      verdict: 'unknown',
      users: USERS_ON_FIRST,
      failure: null,
      sessions: null,
      isHome: true,
    });
  });

  it('show verdicts and failure rates', async () => {
    await world.dependencies.store.updateBackendMemory(SITE, {
      backendId: backendIdOf(2),
      verdict: 'critical',
      verdictSinceMs: 1000,
      judgedAtMs: 2000,
    });
    world.played.metrics = {
      takenAtMs: Date.now(),
      view: {
        blindReason: null,
        proxiesExpected: 2,
        proxiesSeen: 2,
        newestSampleMs: Date.now(),
        scrapeIntervalSecs: 1,
      },
      attempts: {
        'north-mail2': [
          {
            windowSecs: 60,
            logins: { succeeded: 90, failed: 10 },
            deliveries: { succeeded: 0, failed: 50 },
          },
        ],
      },
      load: {},
    };
    expect(await get('/backends/north-mail2')).toMatchObject({
      verdict: 'critical',
      verdictSinceMs: 1000,
      failure: { logins: { ratio: 0.1 }, deliveries: { ratio: 1 }, worstRatio: 1 },
    });
  });

  it('that are offline and empty do not count in what the site meets with: only test users ask there', async () => {
    const { metrics: before } = world.played;
    if (before === null) throw new Error('the test before this one plays metrics');
    const attempts = (succeeded: number, failed: number) => [
      { windowSecs: 60, logins: { succeeded, failed }, deliveries: { succeeded: 0, failed: 0 } },
    ];
    const setStatus = (backend: number, status: string) =>
      world.cql(`UPDATE {geodb}.backends SET status = ? WHERE id = ?`, [
        status,
        backendIdOf(backend),
      ]);
    const ratio = async (): Promise<number | null> => {
      const { counts } = await get<{ counts: { siteFailureRatio: number | null } }>('/overview');
      return counts.siteFailureRatio;
    };
    world.played.metrics = {
      ...before,
      attempts: { 'north-mail1': attempts(99, 1), 'north-mail3': attempts(0, 100) },
    };
    try {
      expect(await ratio()).toBeCloseTo(101 / 200);
      await setStatus(3, 'offline');
      expect(await ratio()).toBeCloseTo(1 / 100);
      // Whoever lives on one that is offline meets with its failures.
      await setStatus(1, 'offline');
      expect(await ratio()).toBeCloseTo(1 / 100);
    } finally {
      world.played.metrics = before;
      await setStatus(1, 'online');
      await setStatus(3, 'online');
    }
  });

  it('page their users to the end, each once', async () => {
    const names: string[] = [];
    let path = '/backends/north-mail1/users?limit=10';
    for (let pages = 0; pages < 5; pages += 1) {
      const page = await get<{ users: { username: string }[]; cursor: string | null }>(path);
      expect(page.users.length).toBeLessThanOrEqual(10);
      names.push(...page.users.map(({ username }) => username));
      if (page.cursor === null) break;
      path = `/backends/north-mail1/users?limit=10&cursor=${encodeURIComponent(page.cursor)}`;
    }
    expect(new Set(names).size).toBe(USERS_ON_FIRST);
    expect(names).toHaveLength(USERS_ON_FIRST);
  });
});

describe('users', () => {
  it('show home, alternative and moves', async () => {
    const row: LedgerRow = {
      operationId: '01OP',
      chunk: 0,
      username: 'moved@example.org',
      sourceId: backendIdOf(1),
      targetId: backendIdOf(2),
      state: 'confirmed',
      reason: null,
      attempts: 1,
      moveTimestampMicros: 1,
      isForced: false,
      sentAtMs: 1,
      endedAtMs: 2,
    };
    const { store } = world.dependencies;
    await store.saveLedgerRows([{ ...row, state: 'planned', attempts: 0, endedAtMs: null }]);
    await store.saveLedgerRows([row]);
    expect(await get('/users/moved@example.org')).toMatchObject({
      home: { host: 'north-mail2', siteName: SITE },
      alternative: { host: 'north-mail1' },
      isMoving: false,
      lastMovedMs: 1_700_000_000_000,
      moves: [{ sourceHost: 'north-mail1', targetHost: 'north-mail2', state: 'confirmed' }],
    });
  });
});

describe('operations', () => {
  it('are listed, filtered, paged and read with what may be asked of them', async () => {
    const { store } = world.dependencies;
    const done = runningOperation({ state: 'done', endedAtMs: Date.now(), operationId: '01A' });
    const open = runningOperation({ operationId: '01B' });
    await store.saveOperation(done);
    await store.saveOperation(open);
    const ids = async (query: string) => {
      const page = await get<{ operations: { operationId: string }[] }>(`/operations${query}`);
      return page.operations.map(({ operationId }) => operationId);
    };
    expect(await ids('')).toEqual(['01B', '01A']);
    expect(await ids('?state=done')).toEqual(['01A']);
    expect(await ids('?state=open')).toEqual(['01B']);
    const first = await get<{ cursor: string }>('/operations?limit=1');
    expect(await ids(`?limit=1&cursor=${first.cursor}`)).toEqual(['01A']);
    expect(await get('/operations/01B')).toMatchObject({
      isAutomatic: true,
      allowedActions: ['pause', 'cancel', 'speed', 'retarget'],
      counts: { planned: 100, confirmed: 40, skipped: 5, failed: 1, remaining: 54 },
    });
    expect(await get('/operations/01A')).toMatchObject({ isEnded: true, allowedActions: [] });
  });

  it('page their ledger, by state', async () => {
    const { store } = world.dependencies;
    await store.saveOperation(runningOperation({ operationId: '01L' }));
    const rows = Array.from({ length: 5 }, (_, number) => ({
      operationId: '01L',
      chunk: 0,
      username: `ledger${number}`,
      sourceId: backendIdOf(1),
      targetId: backendIdOf(2),
      state: number === 0 ? ('failed' as const) : ('confirmed' as const),
      reason: null,
      attempts: 1,
      moveTimestampMicros: Date.now() * 1000,
      isForced: false,
      sentAtMs: null,
      endedAtMs: null,
    }));
    await store.saveLedgerRows(
      rows.map((row) => ({ ...row, state: 'planned', attempts: 0, moveTimestampMicros: null })),
    );
    await store.saveLedgerRows(rows);
    expect(await get('/operations/01L/moves?state=failed')).toMatchObject({
      moves: [{ username: 'ledger0', targetHost: 'north-mail2' }],
    });
    const page = await get<{ moves: unknown[]; cursor: string | null }>(
      '/operations/01L/moves?limit=3',
    );
    expect(page.moves).toHaveLength(3);
    expect(page.cursor).not.toBeNull();
  });
});

describe('decisions', () => {
  it('are filtered by task, host and kind, and read even where the snapshot has expired', async () => {
    const evacuate = recordedDecision({
      decisionId: '01K0000000000000000000000B',
      kind: 'evacuate',
      reason: 'FailureRateCritical',
      hosts: ['north-mail1'],
      numbers: { failureRatio: 1 },
    });
    await world.dependencies.store.saveDecisions([recordedDecision({}), evacuate]);
    const reasons = async (query: string) => {
      const page = await get<{ decisions: { reason: string }[] }>(`/decisions${query}`);
      return page.decisions.map(({ reason }) => reason);
    };
    expect(await reasons('')).toHaveLength(2);
    expect(await reasons('?kind=evacuate')).toEqual(['FailureRateCritical']);
    expect(await reasons('?host=north-mail2')).toEqual(['Healthy']);
    expect(await reasons('?task=rebalance_sites')).toEqual([]);
    expect(await get(`/decisions/${evacuate.decisionId}`)).toMatchObject({
      decision: { reason: 'FailureRateCritical', numbers: { failureRatio: 1 } },
      snapshot: null,
    });
  });
});

describe('a decision made again', () => {
  const replay = (decisionId: string) =>
    get<{ outcome: string; again: unknown[] }>(`/decisions/${decisionId}/replay`);

  it('comes out the same from its snapshot, or says that it would not today', async () => {
    const { store } = world.dependencies;
    const snapshotId = await store.saveSnapshot(aSnapshot(), { keep: false });
    const [nothing] = decideBackendHealth(aSnapshot()).decisions;
    const recorded = recordedDecision({
      ...nothing,
      decisionId: '01K0000000000000000000000R',
      snapshotId,
    });
    await store.saveDecisions([recorded]);
    expect(await replay(recorded.decisionId)).toMatchObject({ outcome: 'identical' });

    const changed = {
      ...recorded,
      decisionId: '01K0000000000000000000000S',
      numbers: { users: 1 },
    };
    await store.saveDecisions([changed]);
    expect(await replay(changed.decisionId)).toMatchObject({
      outcome: 'different',
      again: [{ reason: 'Healthy', numbers: nothing?.numbers }],
    });

    const old = { ...recorded, decisionId: '01K0000000000000000000000T', snapshotId: 'gone' };
    await store.saveDecisions([old]);
    expect(await replay(old.decisionId)).toMatchObject({ outcome: 'snapshotExpired', again: [] });
  });
});

describe('tasks', () => {
  it('show their last run, and when a success is overdue', async () => {
    await world.dependencies.store.saveTaskRun({
      siteName: SITE,
      task: 'check_backend_health',
      lastStartedAtMs: Date.now() - 400_000,
      lastSucceededAtMs: Date.now() - 400_000,
      lastDurationMs: 120,
      lastError: 'boom',
      lastErrorAtMs: Date.now(),
      failingSinceMs: Date.now() - 340_000,
      outcomes: { nothing: 3 },
    });
    const { tasks } = await get<{ tasks: { task: string }[] }>('/tasks');
    expect(tasks).toHaveLength(8);
    expect(tasks.find(({ task }) => task === 'check_backend_health')).toMatchObject({
      intervalSecs: 60,
      isOverdue: true,
      isPaused: false,
      lastError: 'boom',
      outcomes: { nothing: 3 },
    });
    // The documented spelling with the odd capital is one of its names.
    expect(await get('/tasks/check_Backend_health')).toMatchObject({
      task: 'check_backend_health',
      isOverdue: true,
    });
    expect(await get('/overview')).toMatchObject({ overdueTasks: ['check_backend_health'] });
  });

  it('are asked for one by one for their page, and listed for what is shown all the time', async () => {
    const { played } = world;
    const fresh = createApp({
      ...world.dependencies,
      metrics: createMetrics({ isDefaultIncluded: false }),
    });
    const look = async (path: string): Promise<string[]> => {
      played.taskReads = [];
      const headers = { authorization: `Bearer ${world.tokens.viewer}` };
      const response = await fresh.http.request(`${ORIGIN}/api/v1${path}`, { headers });
      expect(response.status).toBe(200);
      return played.taskReads;
    };
    expect(await look('/tasks')).toEqual(expect.arrayContaining(['check_backend_health']));
    expect(await look('/tasks')).not.toContain('list');
    played.temporalError = new Error('silent');
    expect(await look('/overview')).toEqual(['list']);
    played.temporalError = null;
    // A failure is no answer that is kept.
    expect(await look('/overview')).toEqual(['list']);
    expect(await look('/overview')).toEqual([]);
    await fresh.close();
  });

  it('report users who point to a Backend that does not exist', async () => {
    expect(await get('/overview')).toMatchObject({ strandedUsers: null });
    await world.dependencies.store.saveTaskRun({
      siteName: SITE,
      task: 'delete_stale_data',
      lastStartedAtMs: Date.now(),
      lastSucceededAtMs: Date.now(),
      lastDurationMs: 1,
      lastError: null,
      lastErrorAtMs: null,
      failingSinceMs: null,
      outcomes: { deleted: 0, strandedUsers: 7 },
    });
    expect(await get('/overview')).toMatchObject({ strandedUsers: 7 });
  });

  it('are late as well where they never succeeded, or never ran', async () => {
    const { store } = world.dependencies;
    let aheadMs = 0;
    const metrics = createMetrics({ isDefaultIncluded: false });
    const now = (): number => Date.now() + aheadMs;
    const later = createApp({ ...world.dependencies, metrics, now });
    const failing = {
      siteName: SITE,
      task: 'rebalance_sites',
      lastStartedAtMs: Date.now(),
      lastSucceededAtMs: null,
      lastDurationMs: 1,
      lastError: 'boom',
      lastErrorAtMs: Date.now(),
      outcomes: {},
    } as const;
    const lateOnes = async (): Promise<string[]> => {
      const headers = { authorization: `Bearer ${world.tokens.viewer}` };
      const response = await later.http.request(`${ORIGIN}/api/v1/tasks`, { headers });
      const { tasks } = (await response.json()) as {
        tasks: { task: string; isOverdue: boolean }[];
      };
      return tasks.filter(({ isOverdue }) => isOverdue).map(({ task }) => task);
    };
    await store.saveTaskRun({ ...failing, failingSinceMs: Date.now() - 170_000 });
    expect(await lateOnes()).not.toContain('rebalance_sites');
    await store.saveTaskRun({ ...failing, failingSinceMs: Date.now() - 190_000 });
    expect(await lateOnes()).toContain('rebalance_sites');
    expect(await lateOnes()).not.toContain('evacuate_zero_load_factor_hosts');
    aheadMs = 190_000;
    expect(await lateOnes()).toContain('evacuate_zero_load_factor_hosts');
    expect(await lateOnes()).not.toContain('delete_stale_data');
    await later.close();
  });
});

describe('load scores', () => {
  it('are shown with their parts, or why a Backend takes no part, before balancing is switched on', async () => {
    const { metrics } = world.played;
    if (metrics === null) throw new Error('no metrics are played');
    const load = (level: number) => ({
      cpu: level,
      memoryBytes: level * 1e9,
      metacacheBytes: level * 1e8,
      samples: 5000,
    });
    const loads = [
      ['north-mail2', load(2)],
      ['north-mail3', load(1)],
      ['north-mail4', { ...load(1), samples: 7 }],
    ] as const;
    world.played.metrics = { ...metrics, attempts: {}, load: Object.fromEntries(loads) };
    type Balancing = Record<string, unknown> & { parts: Record<string, number> };
    type Shown = { host: string; balancing: Balancing | null };
    const overview = await get<{ backends: Shown[]; balancing: Record<string, unknown> }>(
      '/overview',
    );
    const of = (host: string) => overview.backends.find((each) => each.host === host)?.balancing;
    expect(of('north-mail2')).toEqual({
      exclusion: null,
      score: 3,
      parts: { memory: 1, cpu: 1, metacache: 1 },
    });
    expect(of('north-mail3')).toMatchObject({ score: -3 });
    expect(of('north-mail4')).toMatchObject({ exclusion: 'TooFewSamples', score: null });
    expect(overview.balancing).toMatchObject({
      mostLoadedHost: 'north-mail2',
      leastLoadedHost: 'north-mail3',
      scoreDelta: 6,
      threshold: 3,
      eligible: 2,
      wouldNow: { kind: 'nothing', reason: 'FeatureDisabled' },
    });
    expect(await get('/backends/north-mail2')).toMatchObject({ balancing: { score: 3 } });
    expect(await get('/backends/south-mail1')).toMatchObject({ balancing: null });
    world.played.metrics = metrics;
  });
});

describe('reachability of Backends', () => {
  it('is shown as it was last looked at, and keeps a Backend from balancing', async () => {
    const look = {
      backendId: backendIdOf(4),
      nameFailingSinceMs: null,
      checkedAtMs: 5,
      sinceMs: 4,
    };
    const silent = { ...look, isReachable: false, failure: 'Timeout' };
    await world.dependencies.store.saveReachability(SITE, [silent]);
    expect(await get('/backends/north-mail4')).toMatchObject({
      doveadm: { isReachable: false, failure: 'Timeout', sinceMs: 4, checkedAtMs: 5 },
    });
    expect(await get('/backends/north-mail3')).toMatchObject({ doveadm: null });
    await world.dependencies.store.saveReachability(SITE, []);
  });
});

describe('overview', () => {
  it('puts the site into one document', async () => {
    const overview = await get<Record<string, unknown>>('/overview');
    expect(overview).toMatchObject({
      site: { name: SITE },
      automation: { state: 'running' },
      catastrophe: { isHolding: false, thresholdPercent: 50 },
      metrics: { isBlind: false, source: 'cache' },
      counts: { backends: 4, online: 4, users: USERS_ON_FIRST + 1, critical: 1 },
      reachability: { sites: 2, unreachable: 1 },
      dependencies: { cassandra: { ok: true }, temporal: { ok: true } },
    });
  });

  it('says that catastrophe protection holds, with share, limit and hosts', async () => {
    const held = recordedDecision({
      decisionId: '01K0000000000000000000000C',
      reason: 'CatastropheProtection',
      hosts: ['north-mail1', 'north-mail2', 'north-mail3'],
      numbers: { sharePercent: 75, thresholdPercent: 50 },
      detail: 'site',
    });
    const { store } = world.dependencies;
    await store.saveLastNothings(SITE, 'check_backend_health', [held]);
    expect(await get('/overview')).toMatchObject({
      catastrophe: {
        isHolding: true,
        sharePercent: 75,
        thresholdPercent: 50,
        failingHosts: ['north-mail1', 'north-mail2', 'north-mail3'],
      },
    });
    await store.saveLastNothings(SITE, 'check_backend_health', []);
    expect(await get('/overview')).toMatchObject({ catastrophe: { isHolding: false } });
  });

  it('is blind where the newest sample is too old', async () => {
    const { metrics } = world.played;
    if (metrics === null) throw new Error('no metrics are played');
    const view = { ...metrics.view, newestSampleMs: Date.now() - 60_000 };
    world.played.metrics = { ...metrics, view };
    expect(await get('/overview')).toMatchObject({ metrics: { isBlind: true } });
    world.played.metrics = metrics;
  });
});
