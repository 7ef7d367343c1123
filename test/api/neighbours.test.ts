import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dependencies } from '../../api/dependencies.ts';
import { GatewayError } from '../../gateways/gateway-error.ts';
import { createGateways } from '../../gateways/create-gateways.ts';
import { createApiWorld, problemFrom, type ApiWorld, SITE } from '../support/api-world.ts';
import { eventually } from '../support/eventually.ts';
import { testNet } from '../support/test-net.ts';

const temporalIsDown = new GatewayError('down', {
  system: 'temporal',
  operation: 'any',
  isTemporary: true,
  code: 'Unreachable',
});

describe('with Cassandra down', () => {
  let world: ApiWorld;
  beforeAll(async () => {
    const environment = { CASSANDRA_SERVERS: `127.${testNet()}.0.1:1` };
    world = await createApiWorld({ environment, isEmpty: true });
  });
  afterAll(async () => {
    await world.close();
  });

  it.each([
    ['GET', '/api/v1/sites'],
    ['GET', '/api/v1/overview'],
    ['POST', '/api/v1/session'],
    ['POST', '/api/v1/backends/north-mail1/evacuate'],
  ])('answers %s %s with 503 that names it, within seconds', async (method, path) => {
    const startedAtMs = Date.now();
    const body = method === 'POST' ? { reason: 'test', secret: 'any' } : undefined;
    const response = await world.ask('viewer', method, path, body);
    expect(response.status).toBe(503);
    const problem = await problemFrom(response);
    expect(problem).toMatchObject({ code: 'CassandraUnavailable', system: 'cassandra' });
    expect(problem.message).toContain('Cassandra');
    expect(Date.now() - startedAtMs).toBeLessThan(5000);
  });

  it('is not ready and says why, and lives', async () => {
    const ready = await world.ask(null, 'GET', '/health/ready');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      ready: false,
      dependencies: { cassandra: { ok: false }, temporal: { ok: true } },
    });
    expect((await world.ask(null, 'GET', '/health/live')).status).toBe(200);
  });

  it('still exports what the process itself counts', async () => {
    const response = await world.ask(null, 'GET', '/metrics');
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('dovekeeper_gateway_errors_total');
  });
});

describe('with a GeoDB that lacks tables', () => {
  let world: ApiWorld;
  beforeAll(async () => {
    world = await createApiWorld({
      environment: { CASSANDRA_GEODB_KEYSPACE: 'api_tests_bare' },
      initGeodb: async (config, cql) => {
        const { geodbKeyspace, localDataCenter } = config.cassandra;
        await cql(
          `CREATE KEYSPACE IF NOT EXISTS ${geodbKeyspace} WITH replication =
             {'class': 'NetworkTopologyStrategy', '${localDataCenter}': 1}`,
        );
        await cql(
          'CREATE TABLE IF NOT EXISTS {geodb}.sites (id uuid PRIMARY KEY, name text, tag uuid, load_balancer text, status text)',
        );
        await cql(
          'CREATE TABLE IF NOT EXISTS {geodb}.backends (id uuid PRIMARY KEY, site_id uuid, host text, status text, load_factor int)',
        );
      },
    });
  });
  afterAll(async () => {
    await world.close();
  });

  it('names the table of users', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/users/user1@example.org');
    expect(response.status).toBe(503);
    const problem = await problemFrom(response);
    expect(problem.code).toBe('TableMissing');
    expect(problem.message).toContain('users');
  });

  it('shows the Backends all the same, with their users unknown', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/backends');
    expect(await response.json()).toMatchObject({ backends: [{ users: null }, {}, {}, {}] });
  });

  it('counts every flag as enabled, as documented, and can set none', async () => {
    const features = await world.ask('viewer', 'GET', '/api/v1/features');
    expect(await features.json()).toMatchObject({
      isTableMissing: true,
      effective: [{ state: 'enabled', decidedBy: { kind: 'tableMissing' } }, {}, {}],
    });
    const wish = { level: 'site', state: 'off', reason: 'test' };
    const response = await world.ask('operator', 'PUT', '/api/v1/features/MetricsExport', wish);
    const problem = await problemFrom(response);
    expect(problem.code).toBe('TableMissing');
    expect(problem.message).toContain('cluster_settings');
  });
});

describe('with Temporal down', () => {
  let world: ApiWorld;
  beforeAll(async () => {
    world = await createApiWorld();
    world.played.temporalError = temporalIsDown;
  });
  afterAll(async () => {
    await world.close();
  });

  it.each(['overview', 'backends', 'operations', 'decisions', 'features', 'automation'])(
    'reads %s',
    async (noun) => {
      expect((await world.ask('viewer', 'GET', `/api/v1/${noun}`)).status).toBe(200);
    },
  );

  it('says in the tasks that it does not answer', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/tasks');
    expect(await response.json()).toMatchObject({
      isTemporalAnswering: false,
      tasks: expect.arrayContaining([expect.objectContaining({ isPaused: null })]) as unknown,
    });
  });

  it('names it where a change needs it, and is not ready', async () => {
    const run = await world.ask('operator', 'POST', '/api/v1/tasks/cache_metrics/run', {
      reason: 'test',
    });
    expect(await problemFrom(run)).toMatchObject({ code: 'TemporalUnavailable', status: 503 });
    expect((await world.ask(null, 'GET', '/health/ready')).status).toBe(503);
  });
});

describe('with a mistake of ours', () => {
  it('answers 500 without details and lives on', async () => {
    const change = (dependencies: Dependencies): Dependencies => ({
      ...dependencies,
      geodb: {
        ...dependencies.geodb,
        readSites: () => Promise.reject(new TypeError('secret inner text')),
      },
    });
    const world = await createApiWorld({ change });
    const response = await world.ask('viewer', 'GET', '/api/v1/sites');
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).toContain('InternalError');
    expect(text).not.toContain('secret inner text');
    expect((await world.ask('viewer', 'GET', '/api/v1/session')).status).toBe(200);
    await world.close();
  });
});

describe('with the real Redis, Prometheus and Temporal', () => {
  let world: ApiWorld;
  let gateways: ReturnType<typeof createGateways>;
  beforeAll(async () => {
    const change = (dependencies: Dependencies): Dependencies => {
      const { config, logger, metrics } = dependencies;
      gateways = createGateways(config as ApiWorld['config'], logger, metrics);
      const { cache, prometheus, temporal } = gateways;
      return { ...dependencies, cache, prometheus, temporal };
    };
    world = await createApiWorld({ change });
  });
  afterAll(async () => {
    await world.close();
    await gateways.close();
  });

  it('is ready', async () => {
    const response = await world.ask(null, 'GET', '/health/ready');
    expect(await response.json()).toMatchObject({
      ready: true,
      dependencies: {
        cassandra: { ok: true },
        temporal: { ok: true },
        redis: { ok: true },
        prometheus: { ok: true },
      },
    });
  });

  it('is blind, for the real Prometheus scrapes no proxy here', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/overview');
    expect(await response.json()).toMatchObject({
      metrics: { isBlind: true, source: 'prometheus' },
      ownership: { isOwner: null },
    });
  });

  it('shows live changes that come over Redis', async () => {
    const response = await world.ask('viewer', 'GET', '/api/v1/events');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const reading = (async () => {
      for (;;) {
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done) return;
        text += chunk.value;
      }
    })();
    await eventually('the change is shown', async () => {
      await gateways.cache.publish({ siteName: SITE, topic: 'features', atMs: 1 });
      return text.includes('"topic":"features"');
    });
    await world.app.close();
    await reading;
  });
});
