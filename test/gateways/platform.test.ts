import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../platform/config.ts';
import type { Environment } from '../../platform/config.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { startMetricsServer } from '../../platform/metrics-server.ts';
import type { MetricsServer } from '../../platform/metrics-server.ts';
import { SETTINGS } from '../../platform/settings.ts';
import { logger } from './gateway-rig.ts';

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const site = { CLUSTER_SITE: 'north' };

describe('config', () => {
  it('needs nothing but the site', () => {
    const config = readConfig(site);
    expect(config).toMatchObject({
      site: 'north',
      cassandra: { servers: ['localhost:9042'], geodbKeyspace: 'd8s_cluster', credentials: null },
      http: { host: '127.0.0.1', port: 8080, publicUrl: 'http://127.0.0.1:8080' },
      policy: { failureRatio: 0.1, failureCriticalRatio: 0.9, failureMinLogins: 100 },
      intervals: { cache_metrics: 5, check_backend_health: 60, delete_stale_data: 86_400 },
    });
    expect(problemsOf({})).toEqual([expect.stringContaining('CLUSTER_SITE is not set')]);
  });

  it('names every bad setting at once, with what was wrong', () => {
    const problems = problemsOf({
      ...site,
      HOST_FAILURE_RATIO: 'ten',
      HTTP_LISTEN: '8080',
      CASSANDRA_PORT: '70000',
      PROMETHEUS_URL: 'localhost:9090',
      HOST_ADDRESSES: 'mail1',
      LOG_LEVEL: 'loud',
      CASSANDRA_GEODB_KEYSPACE: 'x; DROP KEYSPACE y',
    });
    expect(problems).toHaveLength(7);
    expect(problems).toContain('HOST_FAILURE_RATIO must be a number from 0 to 1, but is "ten"');
  });

  it.each([
    ['HOST_FAILURE_RATIO', '-0.1'],
    ['HOST_FAILURE_RATIO', '1e-1'],
    ['HOST_FAILURE_RATIO', 'NaN'],
    ['HOST_FAILURE_RATIO', '0,1'],
    ['HOST_FAILURE_MIN_LOGINS', '0'],
    ['HOST_FAILURE_MIN_LOGINS', '2.5'],
    ['HOST_FAILURE_WINDOW_SECS', '-60'],
    ['HOST_FAILURE_BACKEND_NUM_THRESHOLD', '101'],
    ['CACHE_METRICS_INTERVAL_SECS', '0'],
    ['CASSANDRA_TLS_ENABLED', 'maybe'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ ...site, [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it('refuses settings that contradict each other', () => {
    const problems = problemsOf({
      ...site,
      HOST_FAILURE_RATIO: '0.95',
      HOST_FAILURE_CRITICAL_WINDOW_SECS: '90',
      CASSANDRA_USERNAME: 'ann',
    });
    expect(problems).toHaveLength(3);
  });

  it('accepts the documented settings of Cassandra, each with its effect', () => {
    const byDefault = readConfig(site).cassandra;
    expect(byDefault).toMatchObject({ isDataCenterAware: true, protocolVersion: 4 });
    const { cassandra } = readConfig({
      ...site,
      CASSANDRA_LOAD_BALANCING_POLICY: 'RoundRobin',
      CASSANDRA_PROTOCOL_VERSION: '3',
      CASSANDRA_GEODB_TABLES: 'users=palomar_users,backends=palomar_backends',
    });
    expect(cassandra).toMatchObject({
      isDataCenterAware: false,
      protocolVersion: 3,
      geodbTables: { users: 'palomar_users', backends: 'palomar_backends' },
    });
    for (const [name, value] of [
      ['CASSANDRA_LOAD_BALANCING_POLICY', 'Random'],
      ['CASSANDRA_PROTOCOL_VERSION', '5'],
      ['CASSANDRA_GEODB_TABLES', 'users;drop'],
    ] as const) {
      expect(problemsOf({ ...site, [name]: value })).toEqual([expect.stringContaining(name)]);
    }
  });

  it('takes a former name for the newer one, and refuses two that differ', () => {
    const former = readConfig({ ...site, CASSANDRA_SITE: 'helsinki' });
    expect(former.cassandra.localDataCenter).toBe('helsinki');
    expect(former.notices).toEqual([expect.stringContaining('CASSANDRA_LOCAL_DC')]);
    const both = { CASSANDRA_SITE: 'helsinki', CASSANDRA_LOCAL_DC: 'turku' };
    expect(problemsOf({ ...site, ...both })).toEqual([expect.stringContaining('they differ')]);
  });

  it('says at the start which documented settings have no effect, and why', () => {
    expect(readConfig(site).notices).toEqual([]);
    const { notices } = readConfig({
      ...site,
      CELERY_BROKER_URL: 'redis://redis/0',
      GROUP_BALANCE_ENABLED: 'true',
      CASSANDRA_USED_HOSTS_PER_REMOTE_DC: '2',
      CASSANDRA_KEYSPACE: 'd8s_cluster',
    });
    for (const name of [
      'CELERY_BROKER_URL',
      'GROUP_BALANCE_ENABLED',
      'CASSANDRA_USED_HOSTS_PER_REMOTE_DC',
      'CASSANDRA_KEYSPACE',
    ]) {
      expect(notices.filter((notice) => notice.startsWith(name))).toHaveLength(1);
    }
  });

  it('takes an empty value for none', () => {
    expect(readConfig({ ...site, HOST_FAILURE_RATIO: '' }).policy.failureRatio).toBe(0.1);
  });

  it('reads lists, addresses and ports', () => {
    const config = readConfig({
      ...site,
      CASSANDRA_SERVERS: 'c1, c2:9043',
      PROXY_HOSTS: 'p1,p2',
      HOST_ADDRESSES: 'mail1=127.0.2.1,mail2=::1',
      HTTP_LISTEN: '0.0.0.0:80',
    });
    expect(config.cassandra.servers).toEqual(['c1:9042', 'c2:9043']);
    expect(config.proxyHosts).toEqual(['p1', 'p2']);
    expect(config.doveadm.hostAddresses).toEqual({ mail1: '127.0.2.1', mail2: '::1' });
    expect(config.http.publicUrl).toBe('http://localhost:80');
  });

  it('reads every secret from a file too, and never repeats one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dk-secret-'));
    const file = join(folder, 'key');
    await writeFile(file, 'hidden\n');
    expect(readConfig({ ...site, DOVEADM_API_KEY_FILE: file }).doveadm.apiKey).toBe('hidden');
    const [missing] = problemsOf({ ...site, DOVEADM_API_KEY_FILE: join(folder, 'none') });
    expect(missing).toContain('DOVEADM_API_KEY_FILE cannot be read');
    const both = problemsOf({ ...site, DOVEADM_API_KEY_FILE: file, DOVEADM_API_KEY: 'x' });
    expect(both).toEqual(['DOVEADM_API_KEY and DOVEADM_API_KEY_FILE are both set']);
    const [bad] = problemsOf({ ...site, REDIS_URL: 'http://user:hidden@host' });
    expect(bad).toContain('REDIS_URL');
    expect(bad).not.toContain('hidden');
    await rm(folder, { recursive: true });
  });

  it('describes each of its settings', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      expect(setting.meaning.length, name).toBeGreaterThan(5);
    }
  });
});

describe('metrics', () => {
  let server: MetricsServer | undefined;
  afterEach(() => server?.close());

  it('are served in OpenMetrics, with what was counted', async () => {
    const metrics = createMetrics();
    metrics.countDecision({
      task: 'check_backend_health',
      kind: 'evacuate',
      reason: 'FailureRateCritical',
      isDryRun: false,
    });
    metrics.countMoves('evacuation', 'health', 'confirmed', 20);
    metrics.countMoves('evacuation', 'health', 'failed', 0);
    metrics.observeTask('cache_metrics', 'success', 12);
    metrics.setVerdict('mail1', 'critical');
    metrics.setVerdict('mail1', 'healthy');
    metrics.setVerdict('mail2', 'healthy');
    metrics.forgetBackend('mail2');
    metrics.observeGateway('cassandra', 'readSites', 3, null);
    metrics.observeGateway('doveadm', 'kick', 3, 'Timeout');
    server = await startMetricsServer({ host: '127.0.0.1', port: 0 }, metrics, logger);
    const url = `http://127.0.0.1:${server.port}`;
    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/openmetrics-text/);
    const text = await answer.text();
    for (const line of [
      'dovekeeper_decisions_total{task="check_backend_health",kind="evacuate",reason="FailureRateCritical",dry_run="false"} 1',
      'dovekeeper_user_moves_total{kind="evacuation",cause="health",outcome="confirmed"} 20',
      'dovekeeper_task_duration_seconds_count{task="cache_metrics",outcome="success"} 1',
      'dovekeeper_backend_verdict{backend="mail1",verdict="critical"} 0',
      'dovekeeper_backend_verdict{backend="mail1",verdict="healthy"} 1',
      'dovekeeper_gateway_errors_total{system="doveadm",operation="kick",code="Timeout"} 1',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/dovekeeper_task_last_success_age_seconds\{task="cache_metrics"\} \d/);
    expect(text).not.toContain('mail2');
    expect(text).not.toContain('outcome="failed"');
    expect(text.trimEnd().endsWith('# EOF')).toBe(true);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  });
});
