/** An operator's evacuation of a Backend, and its plan. */
import { notYet } from '../not-yet.ts';
import { createRoute } from '@hono/zod-openapi';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { EvacuateBody, EvacuationPlan, OperationView } from '../schemas/operation.ts';
import { HostParams } from './backends.ts';
import { idempotent, IdempotencyHeader } from '../idempotency.ts';

export const evacuateRoutes = createRouter();

const evacuateBackend = createRoute({
  operationId: 'evacuateBackend',
  tags: ['backends', 'operations'],
  summary: 'Move all users off a Backend, in rounds; with dryRun only the plan',
  method: 'post',
  path: '/backends/{host}/evacuate',
  ...access({ role: 'operator', action: 'backend.evacuate', middleware: [idempotent] }),
  request: { params: HostParams, headers: IdempotencyHeader, body: jsonBody(EvacuateBody) },
  responses: {
    200: jsonAnswer(EvacuationPlan, 'The plan (dryRun)'),
    202: jsonAnswer(OperationView, 'Accepted: watch the operation'),
    ...changeProblems(),
    ...problems(404, 409),
  },
});

evacuateRoutes.openapi(evacuateBackend, notYet);
