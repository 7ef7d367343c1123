/** Operations: look, and pause, resume, cancel or slow them. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { idempotent, IdempotencyHeader } from '../idempotency.ts';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import {
  CancelBody,
  MoveFilter,
  MovePage,
  OperationFilter,
  OperationPageView,
  OperationView,
  SpeedBody,
} from '../schemas/operation.ts';
import { ReasonBody } from '../schemas/problem.ts';

export const operationRoutes = createRouter();

const params = z.object({ operationId: z.string().min(1).max(64) });

const listOperations = createRoute({
  operationId: 'listOperations',
  tags: ['operations'],
  summary: 'Operations of the home site, newest first',
  method: 'get',
  path: '/operations',
  ...access({ role: 'viewer' }),
  request: { query: OperationFilter },
  responses: { 200: jsonAnswer(OperationPageView, 'Operations'), ...problems(422) },
});

const readOperation = createRoute({
  operationId: 'readOperation',
  tags: ['operations'],
  summary: 'One operation with its progress',
  method: 'get',
  path: '/operations/{operationId}',
  ...access({ role: 'viewer' }),
  request: { params },
  responses: { 200: jsonAnswer(OperationView, 'The operation'), ...problems(404, 422) },
});

const pageMoves = createRoute({
  operationId: 'pageOperationMoves',
  tags: ['operations'],
  summary: 'The ledger: one row a user',
  method: 'get',
  path: '/operations/{operationId}/moves',
  ...access({ role: 'viewer' }),
  request: { params, query: MoveFilter },
  responses: { 200: jsonAnswer(MovePage, 'User moves'), ...problems(404, 422) },
});

const answers = {
  202: jsonAnswer(OperationView, 'Asked: the operation as it was when asked'),
  ...changeProblems(),
  ...problems(404, 409),
};

const pauseOperation = createRoute({
  operationId: 'pauseOperation',
  tags: ['operations'],
  summary: 'Pause: moves under way end, no new ones start',
  method: 'post',
  path: '/operations/{operationId}/pause',
  ...access({ role: 'operator', action: 'operation.pause', middleware: [idempotent] }),
  request: { params, headers: IdempotencyHeader, body: jsonBody(ReasonBody) },
  responses: answers,
});

const resumeOperation = createRoute({
  operationId: 'resumeOperation',
  tags: ['operations'],
  summary: 'Go on',
  method: 'post',
  path: '/operations/{operationId}/resume',
  ...access({ role: 'operator', action: 'operation.resume', middleware: [idempotent] }),
  request: { params, headers: IdempotencyHeader, body: jsonBody(ReasonBody) },
  responses: answers,
});

const cancelOperation = createRoute({
  operationId: 'cancelOperation',
  tags: ['operations'],
  summary: 'Stop and keep what is moved',
  method: 'post',
  path: '/operations/{operationId}/cancel',
  ...access({ role: 'operator', action: 'operation.cancel', middleware: [idempotent] }),
  request: { params, headers: IdempotencyHeader, body: jsonBody(CancelBody) },
  responses: answers,
});

const setSpeed = createRoute({
  operationId: 'setOperationSpeed',
  tags: ['operations'],
  summary: 'Set the speed, in per cent of full speed',
  method: 'post',
  path: '/operations/{operationId}/speed',
  ...access({ role: 'operator', action: 'operation.speed', middleware: [idempotent] }),
  request: { params, headers: IdempotencyHeader, body: jsonBody(SpeedBody) },
  responses: answers,
});

operationRoutes.openapi(listOperations, notYet);

operationRoutes.openapi(readOperation, notYet);

operationRoutes.openapi(pageMoves, notYet);

operationRoutes.openapi(pauseOperation, notYet);

operationRoutes.openapi(resumeOperation, notYet);

operationRoutes.openapi(cancelOperation, notYet);

operationRoutes.openapi(setSpeed, notYet);
