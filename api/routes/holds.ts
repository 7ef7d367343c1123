/** Holds that keep automation off a Backend after an operator cancelled its operation. */
import { createRoute } from '@hono/zod-openapi';
import { findHomeBackend, readCluster } from '../cluster-view.ts';
import { liveEvent } from '../live-event.ts';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { HoldView } from '../schemas/moves.ts';
import { ReasonBody } from '../schemas/problem.ts';
import { HostParams } from './backends.ts';

export const holdRoutes = createRouter();

const releaseHold = createRoute({
  operationId: 'releaseHold',
  tags: ['backends'],
  summary: 'Let automation act on the Backend again before its hold is over',
  method: 'post',
  path: '/backends/{host}/release-hold',
  ...access({ role: 'operator', action: 'backend.releaseHold' }),
  request: { params: HostParams, body: jsonBody(ReasonBody) },
  responses: {
    200: jsonAnswer(HoldView, 'The hold as it is now'),
    ...changeProblems(),
    ...problems(404, 409),
  },
});

holdRoutes.openapi(releaseHold, async (c) => {
  const { dependencies } = c.get('api');
  const { store, config, cache } = dependencies;
  const cluster = await readCluster(dependencies);
  const { id: backendId, host } = findHomeBackend(cluster, c.req.valid('param').host);
  await store.updateBackendMemory(config.site, { backendId, operatorHoldUntilMs: null });
  await cache.publish(liveEvent(dependencies, 'operations'));
  return c.json({ host, operatorHoldUntilMs: null }, 200);
});
