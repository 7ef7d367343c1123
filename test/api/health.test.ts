import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  backendIdOf,
  createApiWorld,
  runningOperation,
  type ApiWorld,
  SITE,
} from '../support/api-world.ts';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';

const READY_AFTER_MS = 1_700_000_000_000;
let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld({ environment: { READY_AFTER: String(READY_AFTER_MS) } });
});
afterAll(async () => {
  await world.close();
});

const judge = (number: number, judgedAtMs: number | null) =>
  world.dependencies.store.updateBackendMemory(SITE, {
    backendId: backendIdOf(number),
    verdict: 'healthy',
    verdictSinceMs: 1,
    judgedAtMs,
  });
const ready = async () => {
  const response = await world.ask(null, 'GET', '/health/ready');
  return { status: response.status, ...((await response.json()) as { waitingFor?: string[] }) };
};
const setMetricsExport = (state: 'enabled' | 'disabled') =>
  world.dependencies.geodb.writeFeature({
    level: 'global',
    targetId: GLOBAL_TARGET,
    feature: 'MetricsExport',
    state,
  });

describe('readiness', () => {
  it('waits for every online Backend with users to be judged since the start, once', async () => {
    // Only north-mail1 and north-mail2 have users.
    expect(await ready()).toMatchObject({
      status: 503,
      waitingFor: ['north-mail1', 'north-mail2'],
    });
    await judge(1, READY_AFTER_MS - 1);
    await judge(2, READY_AFTER_MS + 1);
    expect(await ready()).toMatchObject({ status: 503, waitingFor: ['north-mail1'] });
    await judge(1, READY_AFTER_MS + 1);
    expect(await ready()).toMatchObject({ status: 200 });
    await judge(1, null);
    expect(await ready()).toMatchObject({ status: 200 });
  });
});

describe('metrics', () => {
  it('do not work while MetricsExport is off, and say so', async () => {
    const response = await world.ask(null, 'GET', '/metrics');
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('MetricsExport');
  });

  it('export verdicts, users, operations and task ages as OpenMetrics, without user names', async () => {
    await setMetricsExport('enabled');
    const { store } = world.dependencies;
    await store.saveOperation(runningOperation());
    await store.saveTaskRun({
      siteName: SITE,
      task: 'cache_metrics',
      lastStartedAtMs: Date.now(),
      lastSucceededAtMs: Date.now() - 30_000,
      lastDurationMs: 5,
      lastError: null,
      lastErrorAtMs: null,
      failingSinceMs: null,
      outcomes: {},
    });
    const read = async () => (await world.ask(null, 'GET', '/metrics')).text();
    await expect.poll(read, { timeout: 10_000, interval: 200 }).toContain('evacuation');
    const response = await world.ask(null, 'GET', '/metrics');
    expect(response.headers.get('content-type')).toContain('application/openmetrics-text');
    const text = await response.text();
    expect(text).toContain('dovekeeper_backend_verdict{backend="north-mail2",verdict="healthy"} 1');
    expect(text).toContain('dovekeeper_backend_users{backend="north-mail1"} 25');
    expect(text).toContain(
      'dovekeeper_operations_open{kind="evacuation",cause="health",state="running"} 1',
    );
    expect(text).toMatch(/dovekeeper_task_last_success_age_seconds\{task="cache_metrics"\} 3\d/);
    expect(text).toContain('dovekeeper_task_overdue{task="cache_metrics"} 1');
    expect(text).toContain('dovekeeper_task_overdue{task="check_backend_health"} 0');
    expect(text).toContain('dovekeeper_task_interval_seconds{task="cache_metrics"} 5');
    expect(text).toContain('dovekeeper_task_paused{task="cache_metrics"} 0');
    expect(text).not.toContain('@example.org');
    expect(text.trimEnd().endsWith('# EOF')).toBe(true);
  });

  it('answer within a second also while Cassandra is slow', async () => {
    const slow = await createApiWorld({
      change: (dependencies) => ({
        ...dependencies,
        geodb: { ...dependencies.geodb, readSites: () => new Promise(() => undefined) },
      }),
    });
    const startedAtMs = Date.now();
    expect((await slow.ask(null, 'GET', '/metrics')).status).toBe(200);
    expect(Date.now() - startedAtMs).toBeLessThan(1000);
    await slow.close();
  });
});
