/** An operator's evacuation of a Backend, and its plan. */
import { createRoute } from '@hono/zod-openapi';
import { findHomeBackend, readCluster } from '../cluster-view.ts';
import { ApiError } from '../errors.ts';
import { liveEvent } from '../live-event.ts';
import { presentOperation } from '../operation-view.ts';
import { requestEvacuation, startedDetail } from '../operations.ts';
import { requireOwner } from '../ownership.ts';
import { planEvacuation, requireSamePlan } from '../plan-evacuation.ts';
import { identityOf } from '../router.ts';
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

evacuateRoutes.openapi(evacuateBackend, async (c) => {
  const state = c.get('api');
  const { dependencies } = state;
  const { reason, dryRun, plan: planToken, speedPercent } = c.req.valid('json');
  const cluster = await readCluster(dependencies);
  const source = findHomeBackend(cluster, c.req.valid('param').host);
  const plan = await planEvacuation(state, cluster, source);
  if (dryRun) {
    c.set('auditDetail', 'dryRun');
    return c.json(plan, 200);
  }
  const epoch = await requireOwner(state);
  if (planToken !== undefined) requireSamePlan(planToken, plan);
  if (plan.targets.length === 0) {
    const why = plan.refused.map((refused) => `${refused.host}: ${refused.reason}`).join(', ');
    throw new ApiError('NoTarget', `no Backend can take the users of ${source.host} (${why})`);
  }
  const asked = { actor: identityOf(c).actor, reason, epoch, speedPercent };
  const operation = await requestEvacuation(dependencies, source, plan.users, asked);
  c.set('auditDetail', startedDetail([operation]));
  await dependencies.cache.publish(liveEvent(dependencies, 'operations'));
  return c.json(presentOperation(cluster, operation), 202);
});
