/** A 5-second task whose interval is changed keeps its pause, and has the new rhythm at once. */
import { isDeepStrictEqual } from 'node:util';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
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
import type { TaskRunReport } from '../../activities/record-decision.ts';
import { eventually } from '../support/eventually.ts';
import { openTemporalRig, type TemporalRig } from '../support/temporal-rig.ts';

const DAY_SECS = 86_400;

let rig: TemporalRig;
beforeAll(async () => {
  rig = await openTemporalRig();
});
afterAll(() => rig.close());

const msOf = (length: { seconds?: unknown; nanos?: number | null } | null | undefined): number =>
  Number(length?.seconds ?? 0) * 1000 + (length?.nanos ?? 0) / 1e6;

/** Wakes the task again and again, until the run that was started is over. */
async function runUntilContinued(first: WorkflowHandleWithFirstExecutionRunId): Promise<void> {
  const { workflowId, firstExecutionRunId } = first;
  const firstRun = rig.client.workflow.getHandle(workflowId, firstExecutionRunId);
  await eventually(
    'its first run has ended',
    async () => {
      await rig.client.workflow.getHandle(workflowId).signal(wakeSignal);
      return (await firstRun.describe()).status.name === 'CONTINUED_AS_NEW';
    },
    { timeoutMs: 60_000 },
  );
}

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

it('tells its pause by its memo, also after it continued as new', async () => {
  const stop = await rig.startWorker({
    cacheLatestMetrics: () => Promise.resolve({ isExporting: false } as Glance),
    recordTaskRun: () => Promise.resolve(),
  });
  const workflowId = `task-${crypto.randomUUID()}`;
  const first = await rig.client.workflow.start(TASK_WORKFLOWS.cache_metrics ?? '', {
    workflowId,
    taskQueue: rig.taskQueue,
    args: [{ siteName: 'north', intervalSecs: DAY_SECS }],
  });
  const latest = rig.client.workflow.getHandle(workflowId);
  // Temporal forgets what is set to null.
  const tells =
    (isPaused: boolean, note: string | null, intervalSecs?: number) =>
    async (): Promise<boolean> => {
      const { memo } = await latest.describe();
      const told = [memo?.['isPaused'], memo?.['pausedNote'] ?? null, memo?.['intervalSecs']];
      return isDeepStrictEqual(told, [isPaused, note, intervalSecs]);
    };
  try {
    await latest.signal(pauseTaskSignal, 'ann: look');
    await eventually('it tells that it is paused', tells(true, 'ann: look'));
    await latest.signal(resumeTaskSignal);
    await eventually('it tells that it is not', tells(false, null));
    await runUntilContinued(first);
    await eventually('the next one tells', tells(false, null, DAY_SECS));
    await latest.signal(pauseTaskSignal, 'ann: look');
    await eventually('and goes on telling', tells(true, 'ann: look', DAY_SECS));
  } finally {
    await latest.terminate();
    await stop();
  }
});

it('hears signals while a read takes longer than a workflow task may, and tries a failed one again', async () => {
  let reads = 0;
  let isOver = false;
  const recorded: TaskRunReport[] = [];
  const stop = await rig.startWorker({
    cacheLatestMetrics: async () => {
      reads += 1;
      if (reads === 1) throw new Error('Prometheus is busy');
      await eventually('the test has seen it', () => isOver, { timeoutMs: 20_000 });
      return { isExporting: false } as Glance;
    },
    recordTaskRun: (run) => {
      recorded.push(run);
      return Promise.resolve();
    },
  });
  const handle = await rig.client.workflow.start(TASK_WORKFLOWS.cache_metrics ?? '', {
    workflowId: `task-${crypto.randomUUID()}`,
    taskQueue: rig.taskQueue,
    workflowTaskTimeout: '1s',
    args: [{ siteName: 'north', intervalSecs: DAY_SECS }],
    memo: { intervalSecs: DAY_SECS },
  });
  try {
    await eventually('it reads again', () => reads === 2);
    await handle.signal(pauseTaskSignal, 'ann: look');
    await eventually('it has heard', async () => {
      return (await handle.describe()).memo?.['isPaused'] === true;
    });
    expect(recorded).toEqual([]);
    isOver = true;
    await eventually('the run is recorded', () => recorded.length === 1);
    expect(recorded).toMatchObject([{ outcomes: { skipped: 1 }, error: null }]);
    // The time between two attempts is in the record, since it is the workflow's own.
    const [run] = recorded;
    expect((run?.endedAtMs ?? 0) - (run?.startedAtMs ?? 0)).toBeGreaterThanOrEqual(500);
    const { events } = await handle.fetchHistory();
    const timers = (events ?? []).flatMap((event) => event.timerStartedEventAttributes ?? []);
    expect(msOf(timers[0]?.startToFireTimeout)).toBe(500);
    expect(reads).toBe(2);
  } finally {
    isOver = true;
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
    await runUntilContinued(first);
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
