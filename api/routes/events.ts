/** Live updates: server-sent events that say what changed, never the data itself. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, problems } from '../router.ts';

export const eventRoutes = createRouter();

const LiveMessage = z
  .object({
    topic: z.enum(['metrics', 'operations', 'decisions', 'features', 'automation', 'refresh']),
    atMs: z.int(),
  })
  .openapi('LiveMessage');

const streamEvents = createRoute({
  operationId: 'streamEvents',
  tags: ['events'],
  summary: 'Server-sent events',
  description:
    'Event `change` carries a LiveMessage: fetch what its topic names. Topic `refresh` comes every ' +
    '5 s while the live fan-out is silent: fetch everything shown. Event `heartbeat` comes every ' +
    '5 s and carries {atMs, isLive}.',
  method: 'get',
  path: '/events',
  ...access({ role: 'viewer' }),
  responses: {
    200: { description: 'A stream', content: { 'text/event-stream': { schema: LiveMessage } } },
    ...problems(),
  },
});

eventRoutes.openapi(streamEvents, notYet);
