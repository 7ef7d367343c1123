/** Tasks at Temporal: endless workflows are reached by signals, the others are Schedules. */
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client, ScheduleSummary } from '@temporalio/client';
import {
  ENDLESS_TASKS,
  pauseTaskSignal,
  resumeTaskSignal,
  taskIdOf,
  taskPausedQuery,
  wakeSignal,
} from '../../workflows/contract.ts';
import { TASK_NAMES, type TaskName } from '../../workflows/domain/decision.ts';
import type { TemporalCall } from './temporal-client.ts';
import { isNotFound } from './temporal-errors.ts';
import type { TaskState, Temporal } from './temporal.ts';

type TaskMethods = Pick<
  Temporal,
  'runTask' | 'pauseTask' | 'resumeTask' | 'readTask' | 'listTasks'
>;

export function taskMethods(call: TemporalCall): TaskMethods {
  return {
    runTask: (siteName, task) => {
      const id = taskIdOf(siteName, task);
      return call('runTask', id, ({ workflow, schedule }) =>
        isEndless(task)
          ? workflow.getHandle(id).signal(wakeSignal)
          : schedule.getHandle(id).trigger(ScheduleOverlapPolicy.BUFFER_ONE),
      );
    },
    pauseTask: (siteName, task, note) => {
      const id = taskIdOf(siteName, task);
      return call('pauseTask', id, ({ workflow, schedule }) =>
        isEndless(task)
          ? workflow.getHandle(id).signal(pauseTaskSignal, note)
          : schedule.getHandle(id).pause(note),
      );
    },
    resumeTask: (siteName, task, note) => {
      const id = taskIdOf(siteName, task);
      return call('resumeTask', id, ({ workflow, schedule }) =>
        isEndless(task)
          ? workflow.getHandle(id).signal(resumeTaskSignal)
          : schedule.getHandle(id).unpause(note),
      );
    },
    readTask: (siteName, task) => {
      const id = taskIdOf(siteName, task);
      return call('readTask', id, (client) =>
        isEndless(task) ? readEndless(client, id, task) : readScheduled(client, id, task),
      );
    },
    listTasks: (siteName) =>
      call('listTasks', siteName, async (client) => {
        const endless = ENDLESS_TASKS.map((task) =>
          readEndless(client, taskIdOf(siteName, task), task),
        );
        const [scheduled, ...others] = await Promise.all([
          listScheduled(client, siteName),
          ...endless,
        ]);
        return [...scheduled, ...others.filter((state) => state !== null)];
      }),
  };
}

function isEndless(task: TaskName): boolean {
  return ENDLESS_TASKS.includes(task);
}

async function readEndless(client: Client, id: string, task: TaskName): Promise<TaskState | null> {
  const handle = client.workflow.getHandle(id);
  try {
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') return null;
    const { isPaused, note } = await handle.query(taskPausedQuery);
    return { task, isPaused, pausedNote: note, nextRunAtMs: null };
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

async function readScheduled(
  client: Client,
  id: string,
  task: TaskName,
): Promise<TaskState | null> {
  try {
    return toTaskState(task, await client.schedule.getHandle(id).describe());
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** One list, where each description is a query that Temporal's own worker has to answer. */
async function listScheduled(client: Client, siteName: string): Promise<TaskState[]> {
  const tasks = new Map(
    TASK_NAMES.filter((task) => !isEndless(task)).map((task) => [taskIdOf(siteName, task), task]),
  );
  const states: TaskState[] = [];
  for await (const listed of client.schedule.list()) {
    const task = tasks.get(listed.scheduleId);
    if (task !== undefined) states.push(toTaskState(task, listed));
  }
  return states;
}

function toTaskState(
  task: TaskName,
  { state, info }: Pick<ScheduleSummary, 'state' | 'info'>,
): TaskState {
  const next = info.nextActionTimes[0];
  return {
    task,
    isPaused: state.paused,
    pausedNote: state.paused ? (state.note ?? null) : null,
    nextRunAtMs: state.paused || next === undefined ? null : next.getTime(),
  };
}
