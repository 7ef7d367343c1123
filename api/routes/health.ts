/** Whether this process lives and can serve. Open to everybody. */
import { createRoute, z } from '@hono/zod-openapi';
import { createRouter, jsonAnswer } from '../router.ts';
import { ReadyView } from '../schemas/task.ts';

export const healthRoutes = createRouter();

const readLive = createRoute({
  operationId: 'readLive',
  tags: ['health'],
  summary: 'The process lives',
  method: 'get',
  path: '/health/live',
  security: [],
  responses: { 200: jsonAnswer(z.object({ live: z.literal(true) }), 'It lives') },
});

healthRoutes.openapi(readLive, (c) => c.json({ live: true as const }, 200));

const readReady = createRoute({
  operationId: 'readReady',
  tags: ['health'],
  summary: 'Each dependency by name; Cassandra and Temporal decide',
  method: 'get',
  path: '/health/ready',
  security: [],
  responses: { 200: jsonAnswer(ReadyView, 'Ready'), 503: jsonAnswer(ReadyView, 'Not ready') },
});

healthRoutes.openapi(readReady, async (c) => {
  const answer = await c.get('api').readiness();
  return c.json(answer, answer.ready ? 200 : 503);
});

const readMetrics = createRoute({
  operationId: 'readMetrics',
  tags: ['health'],
  summary: 'OpenMetrics; does not work while MetricsExport is off, as documented',
  method: 'get',
  path: '/metrics',
  security: [],
  responses: {
    200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
    503: { description: 'MetricsExport is off', content: { 'text/plain': { schema: z.string() } } },
  },
});

healthRoutes.openapi(readMetrics, async (c) => {
  const { figures, dependencies } = c.get('api');
  const text = await figures.render();
  if (text === null) {
    return c.text('MetricsExport is disabled: this endpoint does not work while it is\n', 503);
  }
  return c.text(text, 200, { 'Content-Type': dependencies.metrics.contentType });
});
