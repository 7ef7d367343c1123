/** Operations: look, and pause, resume, cancel or slow them. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Operation } from '../../workflows/domain/operation.ts';
import { findBackend, readCluster } from '../cluster-view.ts';
import type { Dependencies } from '../dependencies.ts';
import { liveEvent } from '../live-event.ts';
import { listOperationPage } from '../operation-page.ts';
import { presentMove, presentOperation } from '../operation-view.ts';
import {
  controlOperation,
  findOperation,
  holdAutomationOff,
  requireAllowed,
  retargetOperation,
  setOperationSpeed,
} from '../operations.ts';
import { identityOf } from '../router.ts';
import { requireOwner } from '../ownership.ts';
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
import { RetargetBody } from '../schemas/moves.ts';
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

operationRoutes.openapi(listOperations, async (c) => {
  const { dependencies } = c.get('api');
  const [cluster, page] = await Promise.all([
    readCluster(dependencies),
    listOperationPage(dependencies, c.req.valid('query')),
  ]);
  const operations = page.operations.map((operation) => presentOperation(cluster, operation));
  return c.json({ operations, cursor: page.cursor }, 200);
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

operationRoutes.openapi(readOperation, async (c) => {
  const { dependencies } = c.get('api');
  const [cluster, operation] = await Promise.all([
    readCluster(dependencies),
    findOperation(dependencies, c.req.valid('param').operationId),
  ]);
  return c.json(presentOperation(cluster, operation), 200);
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

operationRoutes.openapi(pageMoves, async (c) => {
  const { dependencies } = c.get('api');
  const { limit, cursor, state } = c.req.valid('query');
  const [cluster, { operationId }] = await Promise.all([
    readCluster(dependencies),
    findOperation(dependencies, c.req.valid('param').operationId),
  ]);
  const filter = state === undefined ? {} : { state };
  const options = { limit, cursor: cursor ?? null, ...filter };
  const page = await dependencies.store.pageLedger(operationId, options);
  const moves = page.rows.map((row) => presentMove(cluster, row));
  return c.json({ moves, cursor: page.cursor }, 200);
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

operationRoutes.openapi(pauseOperation, async (c) => {
  const { dependencies } = c.get('api');
  const operation = await findOperation(dependencies, c.req.valid('param').operationId);
  requireAllowed(dependencies, operation, 'pause');
  await requireOwner(c.get('api'));
  const asked = { actor: identityOf(c).actor, reason: c.req.valid('json').reason };
  await controlOperation(dependencies, operation, 'pause', asked);
  return c.json(await presentAfter(dependencies, operation), 202);
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

operationRoutes.openapi(resumeOperation, async (c) => {
  const { dependencies } = c.get('api');
  const operation = await findOperation(dependencies, c.req.valid('param').operationId);
  requireAllowed(dependencies, operation, 'resume');
  await requireOwner(c.get('api'));
  const asked = { actor: identityOf(c).actor, reason: c.req.valid('json').reason };
  await controlOperation(dependencies, operation, 'resume', asked);
  return c.json(await presentAfter(dependencies, operation), 202);
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

operationRoutes.openapi(cancelOperation, async (c) => {
  const { dependencies } = c.get('api');
  const operation = await findOperation(dependencies, c.req.valid('param').operationId);
  requireAllowed(dependencies, operation, 'cancel');
  await requireOwner(c.get('api'));
  const { reason, holdSecs } = c.req.valid('json');
  await holdAutomationOff(dependencies, operation, holdSecs);
  const asked = { actor: identityOf(c).actor, reason, holdSecs };
  await controlOperation(dependencies, operation, 'cancel', asked);
  return c.json(await presentAfter(dependencies, operation), 202);
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

operationRoutes.openapi(setSpeed, async (c) => {
  const { dependencies } = c.get('api');
  const operation = await findOperation(dependencies, c.req.valid('param').operationId);
  requireAllowed(dependencies, operation, 'speed');
  await requireOwner(c.get('api'));
  const asked = { actor: identityOf(c).actor, ...c.req.valid('json') };
  await setOperationSpeed(dependencies, operation, asked);
  c.set('auditDetail', `${asked.speedPercent} %`);
  return c.json(await presentAfter(dependencies, operation), 202);
});

const retarget = createRoute({
  operationId: 'retargetOperation',
  tags: ['operations'],
  summary: 'Other targets for what is not sent yet',
  method: 'post',
  path: '/operations/{operationId}/retarget',
  ...access({ role: 'operator', action: 'operation.retarget', middleware: [idempotent] }),
  request: { params, headers: IdempotencyHeader, body: jsonBody(RetargetBody) },
  responses: answers,
});

operationRoutes.openapi(retarget, async (c) => {
  const { dependencies } = c.get('api');
  const operation = await findOperation(dependencies, c.req.valid('param').operationId);
  requireAllowed(dependencies, operation, 'retarget');
  const { reason, destHosts } = c.req.valid('json');
  const cluster = await readCluster(dependencies);
  const targetIds = destHosts.map((host) => findBackend(cluster, host).id);
  const asked = { actor: identityOf(c).actor, reason, targetIds };
  await retargetOperation(dependencies, operation, asked);
  c.set('auditDetail', destHosts.join(' '));
  return c.json(await presentAfter(dependencies, operation), 202);
});

/** The mover writes its row when it has done what was asked: this is the row as it is now. */
async function presentAfter(dependencies: Dependencies, operation: Operation) {
  await dependencies.cache.publish(liveEvent(dependencies, 'operations'));
  const [cluster, now] = await Promise.all([
    readCluster(dependencies),
    dependencies.store.readOperation(operation.operationId),
  ]);
  return presentOperation(cluster, now ?? operation);
}
