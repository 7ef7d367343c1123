/** The scheduled tasks: when they ran, and run, pause or resume them. */
import { createRoute, z } from '@hono/zod-openapi';
import { TASK_NAMES, type TaskName } from '../../workflows/domain/decision.ts';
import { ApiError } from '../errors.ts';
import type { ApiState } from '../state.ts';
import { isScheduled } from '../task-view.ts';
import { identityOf } from '../router.ts';
import { idempotent, IdempotencyHeader } from '../idempotency.ts';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { ReasonBody } from '../schemas/problem.ts';
import { TaskList, TaskView } from '../schemas/task.ts';

export const taskRoutes = createRouter();

const listTasks = createRoute({
  operationId: 'listTasks',
  tags: ['tasks'],
  summary: 'All tasks with their last and next run',
  method: 'get',
  path: '/tasks',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(TaskList, 'Tasks'), ...problems() },
});

taskRoutes.openapi(listTasks, async (c) => {
  const { dependencies, tasks: book } = c.get('api');
  const { isTemporalAnswering, tasks } = await book.read();
  return c.json({ siteName: dependencies.config.site, isTemporalAnswering, tasks }, 200);
});

const TaskParams = z.object({ task: z.string().min(1).max(100) });

const readTask = createRoute({
  operationId: 'readTask',
  tags: ['tasks'],
  summary: 'One task with its last and next run',
  method: 'get',
  path: '/tasks/{task}',
  ...access({ role: 'viewer' }),
  request: { params: TaskParams },
  responses: { 200: jsonAnswer(TaskView, 'The task'), ...problems(404, 422) },
});

taskRoutes.openapi(readTask, async (c) =>
  c.json(await readTaskView(c.get('api'), findTask(c.req.valid('param').task)), 200),
);

const request = {
  params: TaskParams,
  headers: IdempotencyHeader,
  body: jsonBody(ReasonBody),
};
const answers = {
  202: jsonAnswer(TaskView, 'Asked'),
  ...changeProblems(),
  ...problems(404, 409),
};

const runTask = createRoute({
  operationId: 'runTask',
  tags: ['tasks'],
  summary: 'Run a task now',
  method: 'post',
  path: '/tasks/{task}/run',
  ...access({ role: 'operator', action: 'task.run', middleware: [idempotent] }),
  request,
  responses: answers,
});

taskRoutes.openapi(runTask, async (c) => {
  const { dependencies } = c.get('api');
  const task = requireScheduled(c.req.valid('param').task);
  await dependencies.temporal.runTask(dependencies.config.site, task);
  return c.json(await readTaskView(c.get('api'), task), 202);
});

const pauseTask = createRoute({
  operationId: 'pauseTask',
  tags: ['tasks'],
  summary: 'Pause a task until it is resumed',
  method: 'post',
  path: '/tasks/{task}/pause',
  ...access({ role: 'operator', action: 'task.pause', middleware: [idempotent] }),
  request,
  responses: answers,
});

taskRoutes.openapi(pauseTask, async (c) => {
  const { dependencies } = c.get('api');
  const task = requireScheduled(c.req.valid('param').task);
  const note = `${identityOf(c).actor}: ${c.req.valid('json').reason}`;
  await dependencies.temporal.pauseTask(dependencies.config.site, task, note);
  return c.json(await readTaskView(c.get('api'), task), 202);
});

const resumeTask = createRoute({
  operationId: 'resumeTask',
  tags: ['tasks'],
  summary: 'Let a task run again by the clock',
  method: 'post',
  path: '/tasks/{task}/resume',
  ...access({ role: 'operator', action: 'task.resume', middleware: [idempotent] }),
  request,
  responses: answers,
});

taskRoutes.openapi(resumeTask, async (c) => {
  const { dependencies } = c.get('api');
  const task = requireScheduled(c.req.valid('param').task);
  const note = `${identityOf(c).actor}: ${c.req.valid('json').reason}`;
  await dependencies.temporal.resumeTask(dependencies.config.site, task, note);
  return c.json(await readTaskView(c.get('api'), task), 202);
});

/** In any case: `check_Backend_health` is a documented spelling. Throws ApiError TaskUnknown. */
function findTask(name: string): TaskName {
  const wanted = name.toLowerCase();
  const task = TASK_NAMES.find((each) => each === wanted);
  if (task !== undefined) return task;
  throw new ApiError('TaskUnknown', `there is no task ${name}: ${TASK_NAMES.join(', ')}`);
}

/** Throws ApiError TaskUnknown, or TaskNotScheduled for the one that no clock drives. */
function requireScheduled(name: string): TaskName {
  const task = findTask(name);
  if (!isScheduled(task)) {
    throw new ApiError('TaskNotScheduled', `${task} runs with each scrape of /metrics`);
  }
  return task;
}

async function readTaskView({ tasks: book }: ApiState, task: TaskName) {
  const { tasks } = await book.read();
  const view = tasks.find((each) => each.task === task);
  if (view === undefined) {
    throw new Error(`task ${task} is not among the tasks`);
  }
  return view;
}
