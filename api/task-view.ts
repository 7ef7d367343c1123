/** Tasks as the API shows them. */
import type { TaskRun } from '../gateways/controller-store/controller-store.ts';
import type { TaskState } from '../gateways/temporal/temporal.ts';
import { TASK_NAMES, type TaskName } from '../workflows/domain/decision.ts';
import type { Dependencies } from './dependencies.ts';
import { withTimeout } from './memoize.ts';
import type { TaskView } from './schemas/task.ts';

const TEMPORAL_TIMEOUT_MS = 2000;
/** No success for so many intervals is worth telling. */
const OVERDUE_INTERVALS = 3;

/** The only task that no clock drives: each scrape of /metrics is a run of it. */
export function isScheduled(task: TaskName): task is Exclude<TaskName, 'scrape_stats'> {
  return task !== 'scrape_stats';
}

/** Works while Temporal is down: then what only Temporal knows is null. */
export async function readTasks(
  dependencies: Dependencies,
): Promise<{ isTemporalAnswering: boolean; tasks: TaskView[] }> {
  const { store, config } = dependencies;
  const [runs, states] = await Promise.all([
    store.readTaskRuns(config.site),
    readTaskStates(dependencies),
  ]);
  const tasks = TASK_NAMES.map((task) =>
    presentTask(
      dependencies,
      task,
      runs.find((run) => run.task === task) ?? null,
      states?.get(task) ?? null,
    ),
  );
  return { isTemporalAnswering: states !== null, tasks };
}

/** Names of the tasks without a success for three intervals. */
export function overdueTasks(dependencies: Dependencies, runs: readonly TaskRun[]): TaskName[] {
  return runs
    .filter((run) => presentTask(dependencies, run.task, run, null).isOverdue)
    .map(({ task }) => task);
}

function presentTask(
  { config, now }: Dependencies,
  task: TaskName,
  run: TaskRun | null,
  state: TaskState | null,
): TaskView {
  const intervalSecs = isScheduled(task) ? config.intervals[task] : null;
  const sinceMs = run?.lastSucceededAtMs ?? run?.lastStartedAtMs ?? null;
  const limitMs = intervalSecs === null ? Infinity : OVERDUE_INTERVALS * intervalSecs * 1000;
  return {
    task,
    intervalSecs,
    ...presentRun(run, now()),
    isPaused: state?.isPaused ?? null,
    pausedNote: state?.pausedNote ?? null,
    nextRunAtMs: state?.nextRunAtMs ?? null,
    isOverdue: sinceMs !== null && now() - sinceMs > limitMs,
  };
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
    outcomes: { ...run?.outcomes },
  };
}

async function readTaskStates({
  temporal,
  config,
  logger,
}: Dependencies): Promise<Map<TaskName, TaskState> | null> {
  const tasks = TASK_NAMES.filter(isScheduled);
  const reading = Promise.all(tasks.map((task) => temporal.readTask(config.site, task)));
  try {
    const states = await withTimeout(reading, TEMPORAL_TIMEOUT_MS, () => new Error('timeout'));
    return new Map(states.filter((state) => state !== null).map((state) => [state.task, state]));
  } catch (error) {
    logger.debug({ error }, 'task states could not be read');
    return null;
  }
}
