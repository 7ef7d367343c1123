import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { TypedSearchAttributes } from '@temporalio/common';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTemporal } from '../../gateways/temporal/temporal-client.ts';
import type { ClosableTemporal } from '../../gateways/temporal/temporal-client.ts';
import { createTemporalClient } from '../../platform/temporal.ts';
import type { TemporalClient } from '../../platform/temporal.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { wakeMovers } from '../../worker/wake-movers.ts';
import {
  MOVER_WORKFLOW,
  moverIdOf,
  pauseMemo,
  progressQuery,
  SEARCH_ATTRIBUTES,
  taskIdOf,
  taskQueueOf,
} from '../../workflows/contract.ts';
import type { MoveRequest } from '../../workflows/contract.ts';
import { eventually } from '../support/eventually.ts';
import { failureOf, logger, metrics, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const site = `site-${randomUUID().slice(0, 8)}`;
let temporal: ClosableTemporal;
let raw: TemporalClient;
let native: NativeConnection;
let worker: Worker;
let running: Promise<void>;

const request = (sourceHost: string): MoveRequest => ({
  operationId: ulid(),
  siteName: site,
  kind: 'evacuation',
  cause: 'health',
  sourceId: randomUUID(),
  sourceHost,
  targetIds: [],
  maxUsers: null,
  stepRatio: 0.2,
  minLastMovedSecs: null,
  endsOffline: true,
  isForced: false,
  requestedBy: 'test',
  reason: 'test',
  decisionId: null,
});

async function heardBy(sourceHost: string): Promise<string> {
  const handle = raw.client.workflow.getHandle(moverIdOf(site, sourceHost));
  return (await handle.query(progressQuery))?.stateReason ?? '';
}

/** A running mover, as Temporal lists it: a moment later than it is there. */
async function isListed(moverId: string): Promise<boolean> {
  const query = `WorkflowId = '${moverId}' AND ExecutionStatus = 'Running'`;
  return (await raw.client.workflow.count(query)).count === 1;
}

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  temporal = createTemporal(config.temporal, metrics);
  raw = createTemporalClient(config.temporal);
  native = await NativeConnection.connect({ address: config.temporal.address });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('temporal-workflows.ts', import.meta.url).pathname,
    logger: new DefaultLogger('ERROR'),
  });
  worker = await Worker.create({
    connection: native,
    taskQueue: taskQueueOf(site),
    workflowBundle,
  });
  running = worker.run();
});

afterAll(async () => {
  worker.shutdown();
  await running;
  await Promise.all([native.close(), temporal.close(), raw.close()]);
});

describe('temporal: movers', () => {
  it('are started by the first request and answer the next', async () => {
    const first = request('mail1');
    expect(await temporal.isMoverRunning(site, 'mail1')).toBe(false);
    const accepted = { answer: 'accepted', operationId: first.operationId };
    expect(await temporal.requestMoves(first)).toEqual(accepted);
    expect(await temporal.isMoverRunning(site, 'mail1')).toBe(true);
    expect(await temporal.requestMoves(request('mail1'))).toEqual({
      answer: 'refused',
      runningId: first.operationId,
      reason: 'busy',
    });
    expect(await temporal.requestMoves(first)).toEqual(accepted);
    const requests = (await heardBy('mail1')).split('|');
    expect(requests.filter((word) => word === `request ${first.operationId}`)).toHaveLength(1);
  });

  it('can be told what to do, while there is one', async () => {
    await temporal.requestMoves(request('mail2'));
    const message = { operationId: null, actor: 'ann' };
    const followUp = { operationId: ulid(), retryChunks: [], forceChunks: [3, 4] };
    expect(await temporal.control(site, 'mail2', 'pause', message)).toBe(true);
    expect(await temporal.control(site, 'mail2', 'resume', message)).toBe(true);
    expect(await temporal.control(site, 'mail2', 'endEarly', message)).toBe(true);
    expect(await temporal.setSpeed(site, 'mail2', { ...message, speedPercent: 40 })).toBe(true);
    expect(await temporal.followUp(site, 'mail2', followUp)).toBe(true);
    expect(await heardBy('mail2')).toMatch(/pause ann\|resume\|endEarly\|speed 40\|force 3,4$/);
    expect(await temporal.control(site, 'mail2', 'cancel', message)).toBe(true);
    await eventually('it has ended', async () => !(await temporal.isMoverRunning(site, 'mail2')));
    expect(await temporal.control(site, 'mail2', 'pause', message)).toBe(false);
    expect(await temporal.setSpeed(site, 'mail9', { ...message, speedPercent: 1 })).toBe(false);
    expect(await temporal.followUp(site, 'mail9', followUp)).toBe(false);
  });

  it('are started anew after they have ended', async () => {
    const again = request('mail2');
    const accepted = { answer: 'accepted', operationId: again.operationId };
    expect(await temporal.requestMoves(again)).toEqual(accepted);
    expect(await temporal.isMoverRunning(site, 'mail2')).toBe(true);
  });
});

describe('a worker that starts', () => {
  it('wakes each running mover of its site once, and no other', async () => {
    const elsewhere = `${site}-elsewhere`;
    await temporal.requestMoves(request('mail3'));
    await raw.client.workflow.start(MOVER_WORKFLOW, {
      workflowId: moverIdOf(elsewhere, 'mail3'),
      taskQueue: taskQueueOf(site),
      args: [{ siteName: elsewhere, sourceId: randomUUID(), sourceHost: 'mail3' }],
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTES.site, value: elsewhere },
      ]),
    });
    await eventually('both are listed', async () => {
      const ids = [site, elsewhere].map((each) => moverIdOf(each, 'mail3'));
      return (await Promise.all(ids.map((id) => isListed(id)))).every((isThere) => isThere);
    });
    await wakeMovers(raw, site, logger);
    expect((await heardBy('mail3')).split('|').filter((word) => word === 'wake')).toHaveLength(1);
    const handle = raw.client.workflow.getHandle(moverIdOf(elsewhere, 'mail3'));
    expect((await handle.query(progressQuery))?.stateReason).toBe('');
    await handle.terminate();
  });

  it('wakes the others where one has just ended and is listed still', async () => {
    const woken: string[] = [];
    const workflow = {
      async *list() {
        yield* await Promise.resolve([{ workflowId: 'ended' }, { workflowId: 'running' }]);
      },
      getHandle: (workflowId: string) => ({
        signal: () => {
          if (workflowId === 'ended') return Promise.reject(new Error('workflow not found'));
          woken.push(workflowId);
          return Promise.resolve();
        },
      }),
    };
    const connection = { withDeadline: (_atMs: number, work: () => Promise<void>) => work() };
    await wakeMovers(
      { client: { workflow }, connection } as unknown as TemporalClient,
      site,
      logger,
    );
    expect(woken).toEqual(['running']);
  });

  it('gives up where Temporal does not answer: movers go on by themselves', async () => {
    const nobody = createTemporalClient({ ...config.temporal, address: '127.0.0.1:1' });
    await expect(wakeMovers(nobody, site, logger)).resolves.toBeUndefined();
    await nobody.close();
  });
});

describe('temporal: tasks', () => {
  const clock = 'cache_metrics';
  const health = 'check_backend_health';

  it('are unknown before they are created', async () => {
    expect(await temporal.readTask(site, clock)).toBeNull();
    expect(await temporal.readTask(site, health)).toBeNull();
    expect(await temporal.listTasks(site)).toEqual([]);
    expect(await failureOf(temporal.runTask(site, health))).toMatchObject({
      system: 'temporal',
      code: 'NotFound',
      isTemporary: false,
      subject: taskIdOf(site, health),
    });
    expect(await failureOf(temporal.pauseTask(site, clock, 'x'))).toMatchObject({
      code: 'NotFound',
    });
  });

  it('that are endless are paused, resumed and woken by signals', async () => {
    const handle = await raw.client.workflow.start('cacheMetrics', {
      workflowId: taskIdOf(site, clock),
      taskQueue: taskQueueOf(site),
      args: [{ siteName: site, intervalSecs: 5 }],
    });
    expect(await temporal.readTask(site, clock)).toMatchObject({ task: clock, isPaused: false });
    await temporal.pauseTask(site, clock, 'maintenance');
    expect(await temporal.readTask(site, clock)).toMatchObject({
      isPaused: true,
      pausedNote: 'maintenance',
    });
    expect(await temporal.listTasks(site)).toEqual([await temporal.readTask(site, clock)]);
    await temporal.resumeTask(site, clock, 'done');
    expect(await temporal.readTask(site, clock)).toMatchObject({ isPaused: false });
    await temporal.runTask(site, clock);
    await handle.result();
    expect(await temporal.readTask(site, clock)).toBeNull();
  });

  it('that are endless tell by their memo whether they are paused, without a worker', async () => {
    const other = `${site}-2`;
    const handle = await raw.client.workflow.start('cacheMetrics', {
      workflowId: taskIdOf(other, clock),
      taskQueue: `${taskQueueOf(other)}/nobody`,
      args: [{ siteName: other, intervalSecs: 5 }],
      memo: { intervalSecs: 5, ...pauseMemo(true, 'ann: storage first') },
    });
    const state = {
      task: clock,
      isPaused: true,
      pausedNote: 'ann: storage first',
      nextRunAtMs: null,
    };
    expect(await temporal.readTask(other, clock)).toEqual(state);
    expect(await temporal.listTasks(other)).toEqual([state]);
    await handle.terminate();
  });

  it('that are schedules are paused, resumed and run now', async () => {
    const id = taskIdOf(site, health);
    const schedule = await raw.client.schedule.create({
      scheduleId: id,
      spec: { intervals: [{ every: '1h' }] },
      action: {
        type: 'startWorkflow',
        workflowType: 'checkBackendHealth',
        workflowId: id,
        taskQueue: taskQueueOf(site),
        args: [{ siteName: site, intervalSecs: 3600 }],
      },
    });
    const created = await temporal.readTask(site, health);
    expect(created).toMatchObject({ task: health, isPaused: false, pausedNote: null });
    expect(created?.nextRunAtMs ?? 0).toBeGreaterThan(Date.now() - 1000);
    await temporal.pauseTask(site, health, 'maintenance');
    expect(await temporal.readTask(site, health)).toEqual({
      task: health,
      isPaused: true,
      pausedNote: 'maintenance',
      nextRunAtMs: null,
    });
    // The list is a little behind.
    await eventually('it is listed as paused', async () => {
      const listed = await temporal.listTasks(site);
      return isDeepStrictEqual(listed, [await temporal.readTask(site, health)]);
    });
    await temporal.resumeTask(site, health, 'done');
    await eventually('it is listed with its next run', async () => {
      const [listed] = await temporal.listTasks(site);
      const described = await temporal.readTask(site, health);
      return listed?.isPaused === false && listed.nextRunAtMs === described?.nextRunAtMs;
    });
    await temporal.runTask(site, health);
    await eventually('it ran', async () => (await schedule.describe()).info.numActionsTaken === 1);
    await schedule.delete();
  });
});

describe('temporal: the server', () => {
  it('has an owner name that stays the same', async () => {
    const name = await temporal.readOwnerName();
    expect(name).toMatch(/^[0-9a-f-]{36}\/default$/);
    expect(await temporal.readOwnerName()).toBe(name);
    await temporal.ping();
  });

  it('is asked for that name once in a while, and again after a failure', async () => {
    const metrics = createMetrics({ isDefaultIncluded: false });
    const asked = async (): Promise<string | undefined> =>
      /duration_seconds_count\{[^}]*"readOwnerName"[^}]*\} (\d+)/.exec(await metrics.render())?.[1];
    let nowMs = 0;
    const fresh = createTemporal(config.temporal, metrics, () => nowMs);
    await Promise.all([fresh.readOwnerName(), fresh.readOwnerName()]);
    nowMs = 9_999;
    await fresh.readOwnerName();
    expect(await asked()).toBe('1');
    nowMs = 10_000;
    await fresh.readOwnerName();
    expect(await asked()).toBe('2');
    await fresh.readOwnerName({ isAskedNow: true });
    expect(await asked()).toBe('3');
    await fresh.close();
    const nobody = createTemporal({ ...config.temporal, address: '127.0.0.1:1' }, metrics);
    await failureOf(nobody.readOwnerName());
    await failureOf(nobody.readOwnerName());
    expect(await asked()).toBe('5');
    await nobody.close();
  });

  it('that has no such namespace refuses for good', async () => {
    const stranger = createTemporal({ ...config.temporal, namespace: 'nowhere' }, metrics);
    const error = await failureOf(stranger.requestMoves(request('mail3')));
    expect(error).toMatchObject({ system: 'temporal', code: 'NotFound', isTemporary: false });
    await stranger.close();
  });

  it('gives up in time where no worker answers', async () => {
    const lonely = { ...request('mail1'), siteName: `site-${randomUUID()}` };
    const startedMs = Date.now();
    const error = await failureOf(temporal.requestMoves(lonely));
    expect(error).toMatchObject({ code: 'Timeout', isTemporary: true });
    expect(Date.now() - startedMs).toBeLessThan(14_000);
  });
});
