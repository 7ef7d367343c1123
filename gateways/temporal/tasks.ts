/** Tasks at Temporal: endless workflows are reached by signals, the others are Schedules. */
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client, WorkflowHandle, WorkflowService } from '@temporalio/client';
import { tsToDate } from '@temporalio/common/lib/time.js';
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
import { unlessNotFound } from './temporal-errors.ts';
import type { TaskState, Temporal } from './temporal.ts';

type TaskMethods = Pick<
  Temporal,
  'runTask' | 'pauseTask' | 'resumeTask' | 'readTask' | 'listTasks'
>;

const LIST_PAGE = 100;
/** Below the time in which the API has to have answered. */
const QUERY_TIMEOUT_MS = 1_000;

type ListedPage = Awaited<ReturnType<WorkflowService['listSchedules']>>;

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
        unlessNotFound(
          isEndless(task)
            ? readEndless(client, id, task, { isAskedNow: true })
            : readScheduled(client, id, task),
          null,
        ),
      );
    },
    listTasks: (siteName) =>
      call('listTasks', siteName, async (client) => {
        const endless = ENDLESS_TASKS.map((task) => {
          const id = taskIdOf(siteName, task);
          return unlessNotFound(readEndless(client, id, task, { isAskedNow: false }), null);
        });
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

async function readEndless(
  client: Client,
  id: string,
  task: TaskName,
  { isAskedNow }: { readonly isAskedNow: boolean },
): Promise<TaskState | null> {
  const handle = client.workflow.getHandle(id);
  const { status, memo } = await handle.describe();
  if (status.name !== 'RUNNING') return null;
  const told = pauseOf(memo);
  const pause = isAskedNow || told === null ? await askForPause(client, handle, told) : told;
  return { task, isPaused: pause.isPaused, pausedNote: pause.note, nextRunAtMs: null };
}

async function readScheduled(client: Client, id: string, task: TaskName): Promise<TaskState> {
  const { state, info } = await client.schedule.getHandle(id).describe();
  return toTaskState(task, state.paused, state.note, info.nextActionTimes);
}

interface Pause {
  readonly isPaused: boolean;
  readonly note: string | null;
}

/**
 * Right after a signal only the answer to a query knows of it. Where no worker answers in time, or is in the
 * midst of a run, what the memo told has to do.
 */
async function askForPause(
  client: Client,
  handle: WorkflowHandle,
  told: Pause | null,
): Promise<Pause> {
  const asked = client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
    handle.query(taskPausedQuery),
  );
  return told === null ? asked : asked.catch(() => told);
}

/** Null: a run of a release whose memo did not tell; only a worker knows. */
function pauseOf(memo: Readonly<Record<string, unknown>> | undefined): Pause | null {
  const isPaused = memo?.['isPaused'];
  const note = memo?.['pausedNote'];
  if (typeof isPaused !== 'boolean') return null;
  return { isPaused, note: typeof note === 'string' ? note : null };
}

/** One list, where each description is a query that Temporal's own worker has to answer. */
async function listScheduled(client: Client, siteName: string): Promise<TaskState[]> {
  const tasks = new Map(
    TASK_NAMES.filter((task) => !isEndless(task)).map((task) => [taskIdOf(siteName, task), task]),
  );
  const states: TaskState[] = [];
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    // Not the client's own list: it decodes the memos of all, and one of another application may have another codec.
    const page: ListedPage = await client.workflowService.listSchedules({
      namespace: client.options.namespace,
      maximumPageSize: LIST_PAGE,
      nextPageToken,
    });
    for (const { scheduleId, info } of page.schedules ?? []) {
      const task = tasks.get(scheduleId ?? '');
      if (task === undefined) continue;
      const nextRuns = (info?.futureActionTimes ?? []).map((at) => tsToDate(at));
      states.push(toTaskState(task, info?.paused === true, info?.notes, nextRuns));
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return states;
}

function toTaskState(
  task: TaskName,
  isPaused: boolean,
  note: string | null | undefined,
  nextRuns: readonly Date[],
): TaskState {
  const next = nextRuns[0];
  return {
    task,
    isPaused,
    pausedNote: isPaused ? (note ?? null) : null,
    nextRunAtMs: isPaused || next === undefined ? null : next.getTime(),
  };
}
