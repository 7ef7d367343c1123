/** Which tasks run by themselves, and how often: created and kept in line from this one table. */
import { isDeepStrictEqual } from 'node:util';
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleOptions,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { Config } from '../platform/config.ts';
import {
  ENDLESS_TASKS,
  pauseMemo,
  setTaskIntervalSignal,
  TASK_WORKFLOWS,
  taskIdOf,
  taskQueueOf,
  type TaskInput,
} from '../workflows/contract.ts';
import type { TaskName } from '../workflows/domain/decision.ts';

/** A missed check is worthless later. */
const CATCH_UP_MS = 10_000;
const WORKFLOW_TASK_TIMEOUT_MS = 5_000;
const TASK_TIMEOUT_FACTOR = 3;
const LEAST_TIMEOUT_SECS = 120;
/** Tasks of the same interval begin one after the other, not all on the full minute. */
const PHASES = 4;

export interface TaskRhythm {
  readonly task: TaskName;
  readonly workflowType: string;
  readonly intervalSecs: number;
  readonly isEndless: boolean;
}

export function rhythmsOf(config: Config): TaskRhythm[] {
  return Object.entries(TASK_WORKFLOWS).map(([name, workflowType]) => {
    const task = name as Exclude<TaskName, 'scrape_stats'>;
    const isEndless = ENDLESS_TASKS.includes(task);
    return { task, workflowType, intervalSecs: config.intervals[task], isEndless };
  });
}

/** Creates what is missing and updates what has changed; a paused schedule stays paused. */
export async function keepRhythms(client: Client, config: Config): Promise<void> {
  for (const rhythm of rhythmsOf(config)) {
    if (rhythm.isEndless) await keepEndless(client, config, rhythm);
    else await keepSchedule(client, config, rhythm);
  }
}

async function keepEndless(client: Client, config: Config, rhythm: TaskRhythm): Promise<void> {
  const workflowId = taskIdOf(config.site, rhythm.task);
  const former = await readInterval(client, workflowId);
  const hasChanged = former !== null && former !== rhythm.intervalSecs;
  const options = {
    workflowId,
    taskQueue: taskQueueOf(config.site),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
    args: [inputOf(config, rhythm)],
    memo: { intervalSecs: rhythm.intervalSecs, ...pauseMemo(false, undefined) },
  } as const;
  if (!hasChanged) {
    const workflowIdConflictPolicy = 'USE_EXISTING';
    await client.workflow.start(rhythm.workflowType, { ...options, workflowIdConflictPolicy });
    return;
  }
  const signal = setTaskIntervalSignal;
  await client.workflow.signalWithStart(rhythm.workflowType, {
    ...options,
    signal,
    signalArgs: [rhythm.intervalSecs],
  });
}

/** Null: it does not run. */
async function readInterval(client: Client, workflowId: string): Promise<number | null> {
  try {
    const { status, memo } = await client.workflow.getHandle(workflowId).describe();
    if (status.name !== 'RUNNING') return null;
    const interval = memo?.['intervalSecs'];
    return typeof interval === 'number' ? interval : null;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

async function keepSchedule(client: Client, config: Config, rhythm: TaskRhythm): Promise<void> {
  const options = scheduleOf(config, rhythm);
  const handle = client.schedule.getHandle(options.scheduleId);
  try {
    // Seldom does anything differ, and an update is a workflow task of the schedule each time.
    if (isDeepStrictEqual(shapeOf(await handle.describe()), shapeOf(options))) return;
    await handle.update((former) => ({
      ...former,
      action: options.action,
      spec: options.spec,
      policies: { ...former.policies, ...options.policies },
    }));
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    await createSchedule(client, options);
  }
}

/** Two workers of a fresh site may come at once: then the other one has created the same. */
async function createSchedule(client: Client, options: ScheduleOptions): Promise<void> {
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

/** As Temporal describes it, and as it is wanted. */
interface Scheduled {
  readonly spec: {
    readonly intervals?: readonly { readonly every: unknown; readonly offset?: unknown }[];
    readonly calendars?: readonly unknown[];
    readonly skip?: readonly unknown[];
    readonly jitter?: unknown;
    readonly startAt?: unknown;
    readonly endAt?: unknown;
  };
  readonly action: {
    readonly workflowType: unknown;
    readonly workflowId?: unknown;
    readonly taskQueue?: unknown;
    readonly args?: unknown;
    readonly workflowTaskTimeout?: unknown;
    readonly workflowExecutionTimeout?: unknown;
  };
  readonly policies?: { readonly overlap?: unknown; readonly catchupWindow?: unknown };
}

/** What this table says about a schedule, times in milliseconds; the rest, as a pause, is the operator's. */
function shapeOf({ spec, action, policies }: Scheduled): Record<string, unknown> {
  return {
    intervals: spec.intervals?.map(({ every, offset = 0 }) => ({ every, offset })),
    calendars: spec.calendars ?? [],
    skip: spec.skip ?? [],
    jitter: spec.jitter ?? 0,
    startAt: spec.startAt,
    endAt: spec.endAt,
    workflowType: action.workflowType,
    workflowId: action.workflowId,
    taskQueue: action.taskQueue,
    args: action.args,
    workflowTaskTimeout: action.workflowTaskTimeout,
    workflowExecutionTimeout: action.workflowExecutionTimeout,
    overlap: policies?.overlap,
    catchupWindow: policies?.catchupWindow,
  };
}

function scheduleOf(config: Config, rhythm: TaskRhythm): ScheduleOptions {
  const id = taskIdOf(config.site, rhythm.task);
  const timeoutSecs = Math.max(LEAST_TIMEOUT_SECS, TASK_TIMEOUT_FACTOR * rhythm.intervalSecs);
  return {
    scheduleId: id,
    spec: { intervals: [{ every: rhythm.intervalSecs * 1000, offset: offsetMsOf(rhythm) }] },
    action: {
      type: 'startWorkflow',
      workflowType: rhythm.workflowType,
      workflowId: id,
      taskQueue: taskQueueOf(config.site),
      args: [inputOf(config, rhythm)],
      workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
      // A run that nobody works on must not keep the later ones from starting for ever.
      workflowExecutionTimeout: timeoutSecs * 1000,
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
  };
}

/** check_backend_health comes first: whatever else there is has to wait for it. */
function offsetMsOf({ task, intervalSecs }: TaskRhythm): number {
  const first: TaskName = 'check_backend_health';
  const others = Object.keys(TASK_WORKFLOWS).filter((name) => name !== first);
  const phase = task === first ? 0 : (others.indexOf(task) % (PHASES - 1)) + 1;
  return Math.round((Math.min(intervalSecs, 60) * 1000 * phase) / PHASES);
}

function inputOf(config: Config, rhythm: TaskRhythm): TaskInput {
  return { siteName: config.site, intervalSecs: rhythm.intervalSecs };
}
