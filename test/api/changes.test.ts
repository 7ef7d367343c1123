import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../gateways/gateway-error.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import {
  backendIdOf,
  createApiWorld,
  problemFrom,
  resetWorld,
  runningOperation,
  type ApiWorld,
  ORIGIN,
  SITE,
} from '../support/api-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
beforeEach(async () => {
  await resetWorld(world);
});
afterAll(async () => {
  await world.close();
});

const evacuate = (body: unknown, host = 'north-mail1') =>
  world.ask('operator', 'POST', `/api/v1/backends/${host}/evacuate`, body);
const post = (path: string, body: unknown, key?: string) =>
  world.app.http.request(`${ORIGIN}/api/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${world.tokens.operator}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  });
/** The audit entries that a request left. */
const auditOf = async (response: Response) => {
  const entries = await world.dependencies.store.readAudit(SITE, { limit: 1000 });
  const requestId = response.headers.get('x-request-id');
  return entries.filter((entry) => entry.requestId === requestId);
};

describe('evacuate', () => {
  it('shows the plan and moves nobody with dryRun', async () => {
    const response = await evacuate({ reason: 'look', dryRun: true });
    expect(response.status).toBe(200);
    const plan = (await response.json()) as { users: number; targets: { users: number }[] };
    expect(plan).toMatchObject({
      host: 'north-mail1',
      users: 25,
      usersPerRound: 5,
      inTheWay: null,
    });
    expect(plan.targets.reduce((sum, { users }) => sum + users, 0)).toBe(25);
    expect(plan).toMatchObject({ refused: [{ host: 'north-mail1', reason: 'Source' }] });
    expect(world.played.requests).toEqual([]);
    expect(await world.dependencies.store.listOpenOperations(SITE)).toEqual([]);
  });

  it('answers 202 with an operation that can be watched, and audits it', async () => {
    const response = await evacuate({ reason: 'disk replacement' });
    expect(response.status).toBe(202);
    const operation = (await response.json()) as { operationId: string };
    expect(operation).toMatchObject({ state: 'planned', cause: 'operator', originalCount: 25 });
    expect(world.played.requests).toMatchObject([
      {
        operationId: operation.operationId,
        sourceHost: 'north-mail1',
        cause: 'operator',
        requestedBy: 'token:test-operator',
        reason: 'disk replacement',
        stepRatio: 0.2,
        endsOffline: false,
      },
    ]);
    expect(await auditOf(response)).toMatchObject([
      {
        actor: 'token:test-operator',
        action: 'backend.evacuate',
        target: 'north-mail1',
        outcome: 'done',
        reason: 'disk replacement',
        detail: operation.operationId,
      },
    ]);
  });

  it('is refused with 409 and the id of the operation that runs already', async () => {
    const running = runningOperation({ cause: 'operator' });
    await world.dependencies.store.saveOperation(running);
    const response = await evacuate({ reason: 'again' });
    expect(response.status).toBe(409);
    expect(await problemFrom(response)).toMatchObject({
      code: 'OperationRunning',
      operationId: running.operationId,
    });
    expect(world.played.requests).toEqual([]);
  });

  it('is refused with 409 where the mover refuses, and leaves nothing open', async () => {
    world.played.moveAnswer = () => ({ answer: 'refused', runningId: '01RUNS', reason: 'busy' });
    const response = await evacuate({ reason: 'race' });
    expect(response.status).toBe(409);
    expect(await problemFrom(response)).toMatchObject({ operationId: '01RUNS' });
    expect(await world.dependencies.store.listOpenOperations(SITE)).toEqual([]);
  });

  it('supersedes what ranks lower', async () => {
    await world.dependencies.store.saveOperation(runningOperation({ cause: 'rebalance' }));
    expect((await evacuate({ reason: 'more urgent' })).status).toBe(202);
  });

  it('takes the place of a request that no mover ever took', async () => {
    const lost = runningOperation({ cause: 'operator', state: 'planned' });
    await world.dependencies.store.saveOperation(lost);
    world.played.isMoverRunning = false;
    expect((await evacuate({ reason: 'second try' })).status).toBe(202);
    const row = await world.dependencies.store.readOperation(lost.operationId);
    expect(row).toMatchObject({ state: 'failed', stateReason: 'NotTaken' });
  });

  it('is refused for a Backend of another site', async () => {
    const response = await evacuate({ reason: 'not mine' }, 'south-mail1');
    expect(response.status).toBe(409);
    expect((await problemFrom(response)).code).toBe('NotHomeSite');
  });

  it('is refused where nobody could take the users, with the reasons', async () => {
    for (const number of [2, 3, 4]) {
      await world.cql(`UPDATE {geodb}.backends SET status = 'offline' WHERE id = ?`, [
        backendIdOf(number),
      ]);
    }
    const problem = await problemFrom(await evacuate({ reason: 'alone' }));
    expect(problem.code).toBe('NoTarget');
    expect(problem.message).toContain('north-mail2: Offline');
  });

  it('is refused where another controller owns the site', async () => {
    await world.dependencies.geodb.claim(SITE, 'somebody/else');
    const problem = await problemFrom(await evacuate({ reason: 'mine' }));
    expect(problem.code).toBe('NotTheOwner');
  });

  it('holds on to the plan that was agreed to', async () => {
    const plan = (await (await evacuate({ reason: 'look', dryRun: true })).json()) as {
      planToken: string;
    };
    for (let number = 1; number <= 3; number += 1) {
      const row = [`late${number}@example.org`, backendIdOf(1)];
      await world.cql('INSERT INTO {geodb}.users (username, backend_id) VALUES (?, ?)', row);
    }
    const late = await evacuate({ reason: 'go', plan: plan.planToken });
    expect(late.status).toBe(409);
    const problem = await problemFrom(late);
    expect(problem.code).toBe('PlanOutdated');
    expect(problem.details).toContainEqual({ field: 'users', message: 'was 25, is now 28' });
    const nonsense = await evacuate({ reason: 'go', plan: 'nonsense' });
    expect((await problemFrom(nonsense)).details?.[0]?.field).toBe('plan');
    for (let number = 1; number <= 3; number += 1) {
      const row = [`late${number}@example.org`];
      await world.cql('DELETE FROM {geodb}.users WHERE username = ?', row);
    }
    expect(world.played.requests).toEqual([]);
  });

  it('accepts the plan while the world is the same', async () => {
    const plan = (await (await evacuate({ reason: 'look', dryRun: true })).json()) as {
      planToken: string;
    };
    expect((await evacuate({ reason: 'go', plan: plan.planToken })).status).toBe(202);
  });

  it('starts at the speed that was asked for', async () => {
    const response = await evacuate({ reason: 'gently', speedPercent: 20 });
    expect(await response.json()).toMatchObject({ speedPercent: 20 });
    expect(world.played.requests).toMatchObject([{ speedPercent: 20 }]);
    const nothing = await evacuate({ reason: 'stand still', speedPercent: 0 });
    expect((await problemFrom(nothing)).details?.[0]?.field).toBe('speedPercent');
    expect(world.played.requests).toHaveLength(1);
  });

  it('names Temporal where it does not answer, and leaves nothing open', async () => {
    world.played.moveAnswer = () =>
      new GatewayError('down', {
        system: 'temporal',
        operation: 'requestMoves',
        isTemporary: true,
        code: 'Unreachable',
      });
    const response = await evacuate({ reason: 'no mover' });
    expect(response.status).toBe(503);
    expect(await problemFrom(response)).toMatchObject({
      code: 'TemporalUnavailable',
      system: 'temporal',
    });
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await world.dependencies.store.listOpenOperations(SITE)).toEqual([]);
    expect(await auditOf(response)).toMatchObject([{ outcome: 'failed' }]);
  });
});

describe('Idempotency-Key', () => {
  it('carries a request out once and answers it twice', async () => {
    const path = '/backends/north-mail1/evacuate';
    const first = await post(path, { reason: 'once' }, 'key-1');
    const second = await post(path, { reason: 'once' }, 'key-1');
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(await second.text()).toBe(await first.text());
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(world.played.requests).toHaveLength(1);
  });

  it('carries it out once also when sent twice at the same moment', async () => {
    const path = '/backends/north-mail1/evacuate';
    const answers = await Promise.all(
      [1, 2, 3].map(async () => post(path, { reason: 'once' }, 'key-2')),
    );
    expect(world.played.requests).toHaveLength(1);
    for (const { status } of answers) expect([202, 409]).toContain(status);
  });

  it('refuses the same key for another request', async () => {
    await post('/backends/north-mail1/evacuate', { reason: 'one' }, 'key-3');
    const other = await post('/backends/north-mail1/evacuate', { reason: 'two' }, 'key-3');
    expect(other.status).toBe(422);
    expect((await problemFrom(other)).code).toBe('IdempotencyKeyReused');
  });

  it('lets a request that failed for a neighbour be tried again', async () => {
    const body = { reason: 'patience' };
    world.played.moveAnswer = () => new Error('mistake');
    expect((await post('/backends/north-mail1/evacuate', body, 'key-4')).status).toBe(500);
    world.played.moveAnswer = ({ operationId }) => ({ answer: 'accepted', operationId });
    world.played.isMoverRunning = false;
    expect((await post('/backends/north-mail1/evacuate', body, 'key-4')).status).toBe(202);
    expect((await post('/backends/north-mail1/evacuate', body, 'key-4')).status).toBe(202);
    expect(world.played.requests).toHaveLength(2);
  });
});

describe('controlling an operation', () => {
  const save = async (fields: Partial<Operation> = {}) => {
    const operation = runningOperation(fields);
    await world.dependencies.store.saveOperation(operation);
    return `/operations/${operation.operationId}`;
  };

  it('passes pause, cancel and speed on to the mover with reason and actor', async () => {
    const path = await save();
    expect((await post(`${path}/pause`, { reason: 'lunch' })).status).toBe(202);
    expect((await post(`${path}/speed`, { reason: 'slow', speedPercent: 25 })).status).toBe(202);
    expect((await post(`${path}/cancel`, { reason: 'enough' })).status).toBe(202);
    expect(world.played.controls).toEqual([
      'pause north-mail1: lunch',
      'speed north-mail1: 25',
      'cancel north-mail1: enough',
    ]);
  });

  it('answers 409 with the state where the state forbids it', async () => {
    const done = await save({ state: 'done', endedAtMs: Date.now() });
    const running = await save();
    for (const [path, state] of [
      [`${done}/pause`, 'done'],
      [`${done}/cancel`, 'done'],
      [`${running}/resume`, 'running'],
    ] as const) {
      const response = await post(path, { reason: 'no' });
      expect(response.status).toBe(409);
      expect(await problemFrom(response)).toMatchObject({ code: 'OperationStateConflict', state });
    }
    expect(world.played.controls).toEqual([]);
  });

  it('answers 409 where no mover runs', async () => {
    world.played.isMoverRunning = false;
    const response = await post(`${await save()}/pause`, { reason: 'nobody' });
    expect((await problemFrom(response)).code).toBe('MoverNotRunning');
  });

  it('ends an operation that no mover took', async () => {
    world.played.isMoverRunning = false;
    const path = await save({ cause: 'operator', state: 'planned' });
    const response = await post(`${path}/cancel`, { reason: 'lost' });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ isEnded: true, stateReason: 'NotTaken' });
  });

  it('holds automation off a Backend whose automatic operation is cancelled', async () => {
    await post(`${await save()}/cancel`, { reason: 'enough', holdSecs: 600 });
    const [memory] = await world.dependencies.store.readBackendMemories(SITE);
    expect(memory?.backendId).toBe(backendIdOf(1));
    const secs = ((memory?.operatorHoldUntilMs ?? 0) - Date.now()) / 1000;
    expect(secs).toBeGreaterThan(590);
    expect(secs).toBeLessThanOrEqual(600);
  });

  it('needs a reason and a speed within bounds', async () => {
    const path = await save();
    for (const [verb, body, field] of [
      ['pause', {}, 'reason'],
      ['speed', { reason: 'x' }, 'speedPercent'],
      ['speed', { reason: 'x', speedPercent: 101 }, 'speedPercent'],
    ] as const) {
      const response = await post(`${path}/${verb}`, body);
      expect(response.status).toBe(422);
      expect((await problemFrom(response)).details?.[0]?.field).toBe(field);
    }
  });

  it('is refused for an operation of another site', async () => {
    const response = await post(`${await save({ siteName: 'south' })}/pause`, { reason: 'no' });
    expect((await problemFrom(response)).code).toBe('NotHomeSite');
  });
});

describe('features', () => {
  interface Features {
    effective: { feature: string; state: string; decidedBy: { kind: string; level: string } }[];
    backends: { host: string; effective: { feature: string; state: string }[] }[];
    settings: Record<string, unknown>[];
  }
  const set = async (body: object, feature = 'BackendHealthAutoHandling') => {
    const response = await world.ask('operator', 'PUT', `/api/v1/features/${feature}`, {
      reason: 'test',
      ...body,
    });
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as Features;
  };
  const stateOf = (features: Features) =>
    features.effective.find(({ feature }) => feature === 'BackendHealthAutoHandling');

  it('are disabled by default', async () => {
    const features = (await (
      await world.ask('viewer', 'GET', '/api/v1/features')
    ).json()) as Features;
    expect(stateOf(features)).toMatchObject({ state: 'disabled', decidedBy: { kind: 'default' } });
  });

  it('take both spellings, and the most restrictive level counts', async () => {
    await set({ level: 'global', state: 'on' }, 'MetricsExport');
    await set({ level: 'global', state: 'Enabled' });
    const features = await set({ level: 'backend', target: 'north-mail2', state: 'dryrun' });
    expect(stateOf(features)).toMatchObject({ state: 'enabled', decidedBy: { level: 'global' } });
    const mail2 = features.backends.find(({ host }) => host === 'north-mail2');
    expect(mail2?.effective).toContainEqual(
      expect.objectContaining({ feature: 'BackendHealthAutoHandling', state: 'dryRun' }),
    );
    const site = await set({ level: 'site', state: 'off', reason: 'maintenance' });
    expect(stateOf(site)).toMatchObject({ state: 'disabled', decidedBy: { level: 'site' } });
    expect(site.settings).toContainEqual(
      expect.objectContaining({
        level: 'site',
        targetName: SITE,
        state: 'disabled',
        setBy: 'token:test-operator',
        reason: 'maintenance',
      }),
    );
    const unset = await set({ level: 'site', state: null });
    expect(stateOf(unset)).toMatchObject({ state: 'enabled' });
  });

  it('are back in their former state after the expiry', async () => {
    await set({ level: 'global', state: 'enabled' }, 'MetricsExport');
    await set({ level: 'global', state: 'enabled' });
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    const meanwhile = await set({ level: 'global', state: 'disabled', expiresAt });
    expect(stateOf(meanwhile)).toMatchObject({ state: 'disabled' });
    expect(meanwhile.settings).toContainEqual(
      expect.objectContaining({ state: 'disabled', formerState: 'enabled' }),
    );
    await expect
      .poll(
        async () => {
          const response = await world.ask('viewer', 'GET', '/api/v1/features');
          return stateOf((await response.json()) as Features)?.state;
        },
        { timeout: 5000 },
      )
      .toBe('enabled');
  });

  it.each([
    [{ level: 'backend', state: 'on' }, 422, 'ValidationFailed'],
    [{ level: 'global', target: SITE, state: 'on' }, 422, 'ValidationFailed'],
    [{ level: 'site', state: 'perhaps' }, 422, 'ValidationFailed'],
    [{ level: 'site', state: 'on', expiresAt: 1000 }, 422, 'ValidationFailed'],
    [{ level: 'backend', target: 'mail99', state: 'on' }, 404, 'BackendUnknown'],
    [{ level: 'backend', target: 'south-mail1', state: 'on' }, 409, 'NotHomeSite'],
    [{ level: 'site', target: 'south', state: 'on' }, 409, 'NotHomeSite'],
    [{ level: 'site', target: 'east', state: 'on' }, 404, 'SiteUnknown'],
  ])('refuse %j: %i %s', async (body, status, code) => {
    const wish = { reason: 'test', ...body };
    const response = await world.ask('operator', 'PUT', '/api/v1/features/MetricsExport', wish);
    expect(response.status).toBe(status);
    expect((await problemFrom(response)).code).toBe(code);
  });
});

describe('automation', () => {
  it('is paused with who, why and until when, and runs again by itself', async () => {
    const untilMs = Date.now() + 1000;
    const wish = { state: 'paused', reason: 'storage work', until: untilMs };
    const response = await world.ask('operator', 'PUT', '/api/v1/automation', wish);
    expect(await response.json()).toMatchObject({
      state: 'paused',
      setBy: 'token:test-operator',
      reason: 'storage work',
      untilMs,
    });
    const read = async () => {
      const answer = await world.ask('viewer', 'GET', '/api/v1/automation');
      return ((await answer.json()) as { state: string }).state;
    };
    expect(await read()).toBe('paused');
    await expect.poll(read, { timeout: 5000 }).toBe('running');
  });
});

describe('tasks', () => {
  it('are run, paused and resumed, also by the documented spelling', async () => {
    expect((await post('/tasks/check_Backend_health/run', { reason: 'now' })).status).toBe(202);
    expect((await post('/tasks/rebalance_sites/pause', { reason: 'stop' })).status).toBe(202);
    expect((await post('/tasks/rebalance_sites/resume', { reason: 'go' })).status).toBe(202);
    expect(world.played.controls).toEqual([
      'run check_backend_health',
      'pause rebalance_sites: token:test-operator: stop',
      'resume rebalance_sites: token:test-operator: go',
    ]);
  });

  it('refuse the one that no clock drives', async () => {
    const response = await post('/tasks/scrape_stats/run', { reason: 'now' });
    expect(response.status).toBe(409);
    expect((await problemFrom(response)).code).toBe('TaskNotScheduled');
  });
});
