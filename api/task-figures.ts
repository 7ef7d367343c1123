/** What /metrics says about the tasks, whichever process ran them. */
import { Gauge } from 'prom-client';
import type { Dependencies } from './dependencies.ts';
import type { TaskView } from './schemas/task.ts';
import { strandedUsers } from './task-view.ts';

/** Answers how to bring these figures up to date. */
export function createTaskFigures({
  metrics,
}: Pick<Dependencies, 'metrics'>): (tasks: readonly TaskView[]) => void {
  const gauge = (name: string, help: string): Gauge<'task'> =>
    new Gauge({ name, help, labelNames: ['task'], registers: [metrics.registry] });
  const interval = gauge('dovekeeper_task_interval_seconds', 'Seconds between runs of a task.');
  const overdue = gauge(
    'dovekeeper_task_overdue',
    '1 where a task has not succeeded for three intervals.',
  );
  const paused = gauge('dovekeeper_task_paused', '1 where somebody paused a task.');
  const started = gauge(
    'dovekeeper_task_last_start_timestamp_seconds',
    'When a task last started.',
  );
  const next = gauge('dovekeeper_task_next_run_timestamp_seconds', 'When a task runs next.');
  const stranded = new Gauge({
    name: 'dovekeeper_stranded_users',
    help: 'Users who point to a Backend that does not exist, as delete_stale_data counted.',
    registers: [metrics.registry],
  });
  return (tasks) => {
    stranded.set(strandedUsers(tasks) ?? 0);
    // What is not known is not exported: it must not look like what was known last.
    for (const each of [paused, next]) each.reset();
    for (const { task, intervalSecs, isOverdue, ...view } of tasks) {
      if (intervalSecs !== null) interval.set({ task }, intervalSecs);
      overdue.set({ task }, isOverdue ? 1 : 0);
      if (view.isPaused !== null) paused.set({ task }, view.isPaused ? 1 : 0);
      if (view.lastStartedAtMs !== null) started.set({ task }, view.lastStartedAtMs / 1000);
      if (view.nextRunAtMs !== null) next.set({ task }, view.nextRunAtMs / 1000);
      if (view.lastSucceededAtMs !== null) metrics.setTaskSuccess(task, view.lastSucceededAtMs);
    }
  };
}
