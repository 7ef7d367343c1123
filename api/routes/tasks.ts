/** The scheduled tasks: when they ran, and run, pause or resume them. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
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

const request = {
  params: z.object({ task: z.string().min(1).max(100) }),
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

taskRoutes.openapi(listTasks, notYet);

taskRoutes.openapi(runTask, notYet);

taskRoutes.openapi(pauseTask, notYet);

taskRoutes.openapi(resumeTask, notYet);
