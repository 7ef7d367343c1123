/** A 5-second task whose interval is changed keeps its pause, and has the new rhythm at once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  pauseTaskSignal,
  resumeTaskSignal,
  setTaskIntervalSignal,
  taskPausedQuery,
  TASK_WORKFLOWS,
  wakeSignal,
} from '../../workflows/contract.ts';
import type { Glance } from '../../activities/read-metrics.ts';
import { eventually } from '../support/eventually.ts';
import { openTemporalRig, type TemporalRig } from '../support/temporal-rig.ts';

const DAY_SECS = 86_400;

let rig: TemporalRig;
beforeAll(async () => {
  rig = await openTemporalRig();
});
afterAll(() => rig.close());

it('is paused still, and runs at the new pace once it is resumed', async () => {
  let runs = 0;
  const stop = await rig.startWorker({
    cacheLatestMetrics: () => {
      runs += 1;
      return Promise.reject(new Error('there are no metrics here'));
    },
    recordTaskRun: () => Promise.resolve(),
  });
  const handle = await rig.client.workflow.start(TASK_WORKFLOWS.cache_metrics ?? '', {
    workflowId: `task-${crypto.randomUUID()}`,
    taskQueue: rig.taskQueue,
    args: [{ siteName: 'north', intervalSecs: DAY_SECS }],
    memo: { intervalSecs: DAY_SECS },
  });
  try {
    await eventually('it ran once', () => runs > 0);
    await handle.signal(pauseTaskSignal, 'ann: storage first');
    await handle.signal(setTaskIntervalSignal, 1);
    const paused = { isPaused: true, note: 'ann: storage first' };
    await eventually('it knows', async () => {
      const { memo } = await handle.describe();
      return memo?.['intervalSecs'] === 1;
    });
    expect(await handle.query(taskPausedQuery)).toEqual(paused);
    const before = runs;
    await handle.signal(resumeTaskSignal);
    await eventually('it runs again and again', () => runs >= before + 3, { timeoutMs: 60_000 });
  } finally {
    await handle.terminate();
    await stop();
  }
});

it('continues as new after a minute of runs, and goes on', async () => {
  let runs = 0;
  const stop = await rig.startWorker({
    cacheLatestMetrics: () => {
      runs += 1;
      return Promise.resolve({ isExporting: false } as Glance);
    },
    recordTaskRun: () => Promise.resolve(),
  });
  const workflowId = `task-${crypto.randomUUID()}`;
  const first = await rig.client.workflow.start(TASK_WORKFLOWS.cache_metrics ?? '', {
    workflowId,
    taskQueue: rig.taskQueue,
    args: [{ siteName: 'north', intervalSecs: DAY_SECS }],
  });
  try {
    const firstRun = rig.client.workflow.getHandle(workflowId, first.firstExecutionRunId);
    await eventually(
      'its first run has ended',
      async () => {
        await rig.client.workflow.getHandle(workflowId).signal(wakeSignal);
        return (await firstRun.describe()).status.name === 'CONTINUED_AS_NEW';
      },
      { timeoutMs: 60_000 },
    );
    expect(runs).toBeGreaterThanOrEqual(12);
    const before = runs;
    await eventually('the next one goes on', async () => {
      await rig.client.workflow.getHandle(workflowId).signal(wakeSignal);
      return runs > before;
    });
    expect(runs).toBeLessThan(24);
  } finally {
    await rig.client.workflow.getHandle(workflowId).terminate();
    await stop();
  }
});
