/** Tasks as the API shows them. */
import type { TaskRun } from '../gateways/controller-store/controller-store.ts';
import type { TaskState } from '../gateways/temporal/temporal.ts';
import { ENDLESS_TASKS } from '../workflows/contract.ts';
import { TASK_NAMES, type TaskName } from '../workflows/domain/decision.ts';
import type { Dependencies } from './dependencies.ts';
import { memoize, withTimeout } from '../platform/memoize.ts';
import type { TaskView } from './schemas/task.ts';

const TEMPORAL_TIMEOUT_MS = 2000;
/** The overview and the metrics are read all the time; asking Temporal is not free. */
const STATES_AGE_MS = 10_000;
/** No success for so many intervals is worth telling. */
const OVERDUE_INTERVALS = 3;

/** What only Temporal knows of the tasks; null: it does not answer. */
export type TaskStates = ReadonlyMap<TaskName, TaskState> | null;

export interface TaskBook {
  /** Read afresh: for the page of the tasks. */
  read(): Promise<{ isTemporalAnswering: boolean; tasks: TaskView[] }>;
  /** Some 10 s old where Temporal is concerned: for what is read all the time. */
  glance(): Promise<readonly TaskView[]>;
}

/** Users who point to a Backend that does not exist, as last counted; null: that is not known. */
export function strandedUsers(tasks: readonly TaskView[]): number | null {
  return tasks.find(({ task }) => task === 'delete_stale_data')?.outcomes['strandedUsers'] ?? null;
}

/** The only task that no clock drives: each scrape of /metrics is a run of it. */
export function isScheduled(task: TaskName): task is Exclude<TaskName, 'scrape_stats'> {
  return task !== 'scrape_stats';
}

/** Works while Temporal is down: then what only Temporal knows is null. */
export function createTaskBook(dependencies: Dependencies): TaskBook {
  const { store, config, now } = dependencies;
  // A task that never ran has left no trace: it is late from then on that somebody looked.
  const lookingSinceMs = now();
  const present = (runs: readonly TaskRun[], states: TaskStates): TaskView[] =>
    TASK_NAMES.map((task) => {
      const run = runs.find((each) => each.task === task) ?? null;
      const state = states?.get(task) ?? null;
      return presentTask(dependencies, { task, run, state, lookingSinceMs });
    });
  // Only an answer is kept: whoever comes after a failure asks again.
  const listTasks = memoize(
    () => inTime(dependencies.temporal.listTasks(config.site)),
    STATES_AGE_MS,
    now,
  );
  return {
    read: async () => {
      const [runs, states] = await Promise.all([
        store.readTaskRuns(config.site),
        unlessSilent(dependencies, inTime(readTasks(dependencies))),
      ]);
      return { isTemporalAnswering: states !== null, tasks: present(runs, states) };
    },
    glance: async () => {
      const [runs, states] = await Promise.all([
        store.readTaskRuns(config.site),
        unlessSilent(dependencies, listTasks()),
      ]);
      return present(runs, states);
    },
  };
}

interface KnownOfTask {
  readonly task: TaskName;
  readonly run: TaskRun | null;
  readonly state: TaskState | null;
  readonly lookingSinceMs: number;
}

function presentTask({ config, now }: Dependencies, known: KnownOfTask): TaskView {
  const { task, run, state, lookingSinceMs } = known;
  const intervalSecs = isScheduled(task) ? config.intervals[task] : null;
  const sinceMs = run?.lastSucceededAtMs ?? run?.failingSinceMs ?? lookingSinceMs;
  const limitMs = intervalSecs === null ? Infinity : OVERDUE_INTERVALS * intervalSecs * 1000;
  return {
    task,
    intervalSecs,
    ...presentRun(run, now()),
    isPaused: state?.isPaused ?? null,
    pausedNote: state?.pausedNote ?? null,
    nextRunAtMs: nextRunOf(task, run, state, intervalSecs),
    isOverdue: now() - sinceMs > limitMs,
  };
}

/** An endless task rests for its interval after each run; the others are told by their schedule. */
function nextRunOf(
  task: TaskName,
  run: TaskRun | null,
  state: TaskState | null,
  intervalSecs: number | null,
): number | null {
  if (state === null || state.isPaused) return null;
  if (!ENDLESS_TASKS.includes(task) || intervalSecs === null) return state.nextRunAtMs;
  if (run?.lastStartedAtMs == null) return null;
  return run.lastStartedAtMs + Math.round((run.lastDurationMs ?? 0) + intervalSecs * 1000);
}

type RunView = Omit<
  TaskView,
  'task' | 'intervalSecs' | 'isPaused' | 'pausedNote' | 'nextRunAtMs' | 'isOverdue'
>;

function presentRun(run: TaskRun | null, nowMs: number): RunView {
  const succeededAtMs = run?.lastSucceededAtMs ?? null;
  return {
    lastStartedAtMs: run?.lastStartedAtMs ?? null,
    lastSucceededAtMs: succeededAtMs,
    lastSuccessAgeSecs: succeededAtMs === null ? null : Math.max(0, nowMs - succeededAtMs) / 1000,
    lastDurationMs: run?.lastDurationMs ?? null,
    lastError: run?.lastError ?? null,
    lastErrorAtMs: run?.lastErrorAtMs ?? null,
    failingSinceMs: run?.failingSinceMs ?? null,
    outcomes: { ...run?.outcomes },
  };
}

/** One by one, each as it is now. */
function readTasks({ temporal, config }: Dependencies): Promise<(TaskState | null)[]> {
  const tasks = TASK_NAMES.filter(isScheduled);
  return Promise.all(tasks.map((task) => temporal.readTask(config.site, task)));
}

const inTime = <T>(reading: Promise<T>): Promise<T> =>
  withTimeout(reading, TEMPORAL_TIMEOUT_MS, () => new Error('timeout'));

async function unlessSilent(
  { logger }: Dependencies,
  reading: Promise<readonly (TaskState | null)[]>,
): Promise<TaskStates> {
  try {
    const states = await reading;
    return new Map(states.filter((state) => state !== null).map((state) => [state.task, state]));
  } catch (error) {
    logger.debug({ error }, 'task states could not be read');
    return null;
  }
}
