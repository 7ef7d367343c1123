/** Moves on an operator's request other than an evacuation, holds, and moves that others began. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Operation } from '../../workflows/domain/operation.ts';
import {
  backendIdOf,
  createApiWorld,
  HOSTS,
  resetWorld,
  SITE,
  USERS_ON_FIRST,
  type ApiWorld,
} from '../support/api-world.ts';
import { aRow } from '../support/move-builders.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());
beforeEach(() => resetWorld(world));

const [FIRST = '', SECOND = '', THIRD = ''] = HOSTS;
const SOUTH_HOST = 'south-mail1';
const post = (path: string, body: unknown) => world.ask('operator', 'POST', `/api/v1${path}`, body);

interface Started {
  readonly operations: readonly { operationId: string; sourceHost: string; kind: string }[];
  readonly busy: readonly { host: string; operationId: string }[];
  readonly notMoved: readonly { username: string; reason: string }[];
}

async function json<T>(response: Response, status: number): Promise<T> {
  const text = await response.text();
  expect(`${response.status} ${response.status === status ? '' : text}`).toBe(`${status} `);
  return JSON.parse(text) as T;
}

/** An operation that runs on the first Backend. */
async function run(fields: Partial<Operation>): Promise<void> {
  await world.dependencies.store.saveOperation(
    aRow({
      operationId: `running-${crypto.randomUUID()}`,
      siteName: SITE,
      sourceId: backendIdOf(1),
      sourceHost: FIRST,
      updatedAtMs: Date.now(),
      ...fields,
    }),
  );
}

describe('a share of a Backend', () => {
  it('is planned without moving anybody, and the plan is what is done', async () => {
    const ask = { percentage: 40, destHosts: [SECOND], reason: 'disk' };
    const plan = await json<{ planToken: string; users: number; sources: { targets: unknown }[] }>(
      await post(`/backends/${FIRST}/batch-move`, { ...ask, dryRun: true }),
      200,
    );
    expect(plan.users).toBe(USERS_ON_FIRST * 0.4);
    expect(plan.sources).toMatchObject([{ host: FIRST, targets: [{ host: SECOND, users: 10 }] }]);
    expect(world.played.requests).toEqual([]);
    const started = await json<Started>(
      await post(`/backends/${FIRST}/batch-move`, { ...ask, plan: plan.planToken }),
      202,
    );
    expect(started.operations).toMatchObject([{ sourceHost: FIRST, kind: 'batchMove' }]);
    const { failureCoolTimeSecs, evacuateStepRatio } = world.config.policy;
    expect(world.played.requests).toMatchObject([
      {
        kind: 'batchMove',
        cause: 'operator',
        maxUsers: 10,
        targetIds: [backendIdOf(2)],
        minLastMovedSecs: failureCoolTimeSecs,
        stepRatio: evacuateStepRatio,
        isForced: false,
        endsOffline: false,
      },
    ]);
  });

  it('goes at the speed that is asked for', async () => {
    const ask = { percentage: 40, destHosts: [SECOND], reason: 'disk', speedPercent: 50 };
    const started = await json<Started>(await post(`/backends/${FIRST}/batch-move`, ask), 202);
    expect(started.operations).toMatchObject([{ speedPercent: 50 }]);
    expect(world.played.requests).toMatchObject([{ speedPercent: 50 }]);
    const audited = await world.dependencies.store.readAudit(SITE, { limit: 10 });
    const detail = `${started.operations[0]?.operationId} at 50 %`;
    expect(audited.map((entry) => entry.detail)).toContain(detail);
  });

  it('is asked for under the claim of the site, however it is asked for', async () => {
    const { epoch } = await world.dependencies.geodb.claim(SITE, 'test/default');
    // Nobody takes them, so that none is in the way of the next.
    world.played.isMoverRunning = false;
    const share = { percentage: 40, reason: 'disk' };
    await json(await post(`/backends/${FIRST}/batch-move`, share), 202);
    await json(await post(`/backends/${FIRST}/force-move`, share), 202);
    const users = ['user7@example.org'];
    await json(await post('/users/move', { users, destHost: THIRD, reason: 'family' }), 202);
    await json(await post(`/backends/${FIRST}/evacuate`, { reason: 'disk' }), 202);
    expect(world.played.requests.map((request) => request.epoch)).toEqual(Array(4).fill(epoch));
  });

  it('is forced at once, without cool time', async () => {
    await json(
      await post(`/backends/${FIRST}/force-move`, { percentage: 100, reason: 'now' }),
      202,
    );
    expect(world.played.requests).toMatchObject([
      { kind: 'forceMove', maxUsers: 25, stepRatio: 1, minLastMovedSecs: null, isForced: true },
    ]);
  });

  it('goes to another site where that is asked for, and never by itself', async () => {
    const ask = { percentage: 100, reason: 'empty north', dryRun: true };
    const own = await json<{ sources: { targets: { host: string }[] }[] }>(
      await post(`/backends/${FIRST}/batch-move`, ask),
      200,
    );
    const hosts = own.sources.flatMap(({ targets }) => targets.map(({ host }) => host));
    expect(hosts).toContain(SECOND);
    expect(hosts).not.toContain(SOUTH_HOST);
    const far = await json<{ sources: unknown[] }>(
      await post(`/backends/${FIRST}/batch-move`, { ...ask, destSites: ['south'] }),
      200,
    );
    expect(far.sources).toMatchObject([{ targets: [{ host: SOUTH_HOST, users: 25 }] }]);
    await world.cql(`UPDATE {geodb}.backends SET status = 'standby' WHERE id = ?`, [
      backendIdOf(5),
    ]);
    const shut = await post(`/backends/${FIRST}/batch-move`, {
      ...{ ...ask, dryRun: false },
      destSites: ['south'],
    });
    const problem = await json<{ code: string; message: string }>(shut, 409);
    expect(problem).toMatchObject({ code: 'NoTarget' });
    expect(problem.message).toContain(`${SOUTH_HOST}: Standby`);
  });

  it('refuses an old plan with the difference', async () => {
    const ask = { percentage: 100, reason: 'disk' };
    const { planToken } = await json<{ planToken: string }>(
      await post(`/backends/${FIRST}/batch-move`, { ...ask, dryRun: true }),
      200,
    );
    await world.cql(`UPDATE {geodb}.backends SET status = 'offline' WHERE id = ?`, [
      backendIdOf(3),
    ]);
    const response = await post(`/backends/${FIRST}/batch-move`, { ...ask, plan: planToken });
    const problem = await json<{ code: string; details: { field: string }[] }>(response, 409);
    expect(problem.code).toBe('PlanOutdated');
    expect(problem.details.map(({ field }) => field)).toContain(`targets.${THIRD}`);
    expect(world.played.requests).toEqual([]);
  });

  it.each([
    { path: `/backends/nowhere/batch-move`, body: { percentage: 10 }, code: 'BackendUnknown' },
    { path: `/backends/${SOUTH_HOST}/batch-move`, body: { percentage: 10 }, code: 'NotHomeSite' },
    { path: `/backends/${FIRST}/batch-move`, body: { percentage: 0 }, code: 'ValidationFailed' },
    { path: `/backends/${FIRST}/force-move`, body: { percentage: 101 }, code: 'ValidationFailed' },
    {
      path: `/backends/${FIRST}/force-move`,
      body: { percentage: 10, destHosts: ['nowhere'] },
      code: 'BackendUnknown',
    },
    {
      path: `/backends/${FIRST}/force-move`,
      body: { percentage: 10, destSites: ['nowhere'] },
      code: 'SiteUnknown',
    },
    { path: `/sites/south/batch-move`, body: { percentage: 10 }, code: 'NotHomeSite' },
  ])('is refused: $path $body is $code', async ({ path, body, code }) => {
    const response = await post(path, { ...body, reason: 'test' });
    expect(await response.json()).toMatchObject({ code });
    expect(world.played.requests).toEqual([]);
  });

  it('takes the role operator', async () => {
    const body = { percentage: 10, reason: 'test' };
    const path = `/api/v1/backends/${FIRST}/batch-move`;
    expect((await world.ask('viewer', 'POST', path, body)).status).toBe(403);
  });
});

describe('a share of the site', () => {
  it('is one operation a source with users, and a busy source holds up no other', async () => {
    await run({ cause: 'operator' });
    const started = await json<Started>(
      await post(`/sites/${SITE}/batch-move`, {
        percentage: 100,
        destSites: ['south'],
        reason: 'move house',
      }),
      202,
    );
    expect(started.operations.map(({ sourceHost }) => sourceHost)).toEqual([SECOND]);
    expect(started.busy).toMatchObject([{ host: FIRST }]);
    expect(world.played.requests).toMatchObject([{ maxUsers: 1, targetIds: [backendIdOf(5)] }]);
  });
});

describe('named users', () => {
  it('are listed in the store, one operation for each of their Backends, and in no request', async () => {
    const users = ['user1@example.org', 'user2@example.org', 'moved@example.org', 'nobody'];
    const started = await json<Started>(
      await post('/users/move', { users, destHost: SECOND, reason: 'family' }),
      202,
    );
    expect(started.notMoved).toEqual([
      { username: 'moved@example.org', reason: 'AlreadyOnTarget' },
      { username: 'nobody', reason: 'UserUnknown' },
    ]);
    const [request] = world.played.requests;
    expect(world.played.requests).toHaveLength(1);
    expect(request).toMatchObject({
      sourceHost: FIRST,
      maxUsers: 2,
      minLastMovedSecs: null,
      targetIds: [backendIdOf(2)],
    });
    expect(JSON.stringify(request)).not.toContain('example.org');
    const listed = await world.dependencies.store.readSelectedUsers(request?.selectionId ?? '');
    expect(listed.map(({ username }) => username)).toEqual(users.slice(0, 2));
  });

  it('one of them moves to another site', async () => {
    const path = `/users/${encodeURIComponent('user1@example.org')}/move`;
    await json(await post(path, { destHost: SOUTH_HOST, reason: 'moves house' }), 202);
    expect(world.played.requests).toMatchObject([{ maxUsers: 1, targetIds: [backendIdOf(5)] }]);
  });

  it('that nobody knows are 404, and where their Backend is busy it is 409 with the operation', async () => {
    const unknown = await post('/users/nobody/move', { destHost: SECOND, reason: 'x' });
    expect(await json(unknown, 404)).toMatchObject({ code: 'UserUnknown' });
    const operationId = `in-the-way-${crypto.randomUUID()}`;
    await run({ operationId, cause: 'health' });
    const path = `/users/${encodeURIComponent('user1@example.org')}/move`;
    const busy = await post(path, { destHost: SECOND, reason: 'x' });
    expect(await json(busy, 409)).toMatchObject({ code: 'OperationRunning', operationId });
  });
});

describe('a running operation', () => {
  it('gets other targets', async () => {
    const operationId = `slow-${crypto.randomUUID()}`;
    await run({ operationId, cause: 'operator' });
    const body = { destHosts: [THIRD], reason: 'second is slow' };
    await json(await post(`/operations/${operationId}/retarget`, body), 202);
    expect(world.played.controls).toEqual([`retarget ${FIRST} ${backendIdOf(3)}: second is slow`]);
    const unknown = { destHosts: ['nowhere'], reason: 'x' };
    expect((await post(`/operations/${operationId}/retarget`, unknown)).status).toBe(404);
  });
});

describe('a hold', () => {
  it('is shown with its end, and released', async () => {
    const operatorHoldUntilMs = Date.now() + 3_600_000;
    const { store } = world.dependencies;
    await store.updateBackendMemory(SITE, { backendId: backendIdOf(1), operatorHoldUntilMs });
    const read = async () =>
      json<{ operatorHoldUntilMs: number | null }>(
        await world.ask('viewer', 'GET', `/api/v1/backends/${FIRST}`),
        200,
      );
    expect(await read()).toMatchObject({ operatorHoldUntilMs });
    await json(await post(`/backends/${FIRST}/release-hold`, { reason: 'fixed' }), 200);
    expect(await read()).toMatchObject({ operatorHoldUntilMs: null });
  });
});

describe('moves that others began', () => {
  it('are counted by source, in overview, Backend and route, without a name', async () => {
    const { store } = world.dependencies;
    const oldestSeenAtMs = Date.now() - 90_000;
    await store.saveForeignMoveScan(SITE, {
      scannedAtMs: Date.now(),
      tookMs: 5,
      isPartial: false,
      sources: [{ sourceId: backendIdOf(1), users: 3, oldestSeenAtMs }],
    });
    const get = async (path: string) =>
      json<Record<string, unknown>>(await world.ask('viewer', 'GET', `/api/v1${path}`), 200);
    const shown = { users: 3, oldestSeenAtMs, sources: [{ host: FIRST, users: 3 }] };
    expect(await get('/moves/foreign')).toMatchObject(shown);
    expect((await get('/overview'))['foreignMoves']).toMatchObject(shown);
    expect((await get(`/backends/${FIRST}`))['foreignMoves']).toEqual({ users: 3, oldestSeenAtMs });
    expect((await get(`/backends/${SECOND}`))['foreignMoves']).toBeNull();
  });
});
