/** Tasks at Temporal: endless workflows are reached by signals, the others are Schedules. */
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import {
  ENDLESS_TASKS,
  pauseTaskSignal,
  resumeTaskSignal,
  taskIdOf,
  taskPausedQuery,
  wakeSignal,
} from '../../workflows/contract.ts';
import type { TaskName } from '../../workflows/domain/decision.ts';
import type { TemporalCall } from './temporal-client.ts';
import { isNotFound } from './temporal-errors.ts';
import type { TaskState, Temporal } from './temporal.ts';

type TaskMethods = Pick<Temporal, 'runTask' | 'pauseTask' | 'resumeTask' | 'readTask'>;

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
      return call('readTask', id, async (client) => {
        try {
          return isEndless(task)
            ? await readEndless(client, id, task)
            : await readScheduled(client, id, task);
        } catch (error) {
          if (isNotFound(error)) return null;
          throw error;
        }
      });
    },
  };
}

function isEndless(task: TaskName): boolean {
  return ENDLESS_TASKS.includes(task);
}

async function readEndless(client: Client, id: string, task: TaskName): Promise<TaskState | null> {
  const handle = client.workflow.getHandle(id);
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING') return null;
  const { isPaused, note } = await handle.query(taskPausedQuery);
  return { task, isPaused, pausedNote: note, nextRunAtMs: null };
}

async function readScheduled(client: Client, id: string, task: TaskName): Promise<TaskState> {
  const { state, info } = await client.schedule.getHandle(id).describe();
  const next = info.nextActionTimes[0];
  return {
    task,
    isPaused: state.paused,
    pausedNote: state.paused ? (state.note ?? null) : null,
    nextRunAtMs: state.paused || next === undefined ? null : next.getTime(),
  };
}
