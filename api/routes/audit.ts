/** Who changed what, and what was refused. */
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { AuditPage } from '../schemas/task.ts';

export const auditRoutes = createRouter();

const readAudit = createRoute({
  operationId: 'readAudit',
  tags: ['audit'],
  summary: 'The audit of the home site, newest first',
  method: 'get',
  path: '/audit',
  ...access({ role: 'operator' }),
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(1000).default(100),
      beforeMs: z.coerce.number().int().positive().optional(),
    }),
  },
  responses: { 200: jsonAnswer(AuditPage, 'Audit entries'), ...problems(422) },
});

auditRoutes.openapi(readAudit, async (c) => {
  const { store, config } = c.get('api').dependencies;
  const { limit, beforeMs } = c.req.valid('query');
  const options = beforeMs === undefined ? { limit } : { limit, beforeMs };
  const entries = await store.readAudit(config.site, options);
  const last = entries.length < limit ? undefined : entries.at(-1);
  return c.json({ entries, nextBeforeMs: last?.atMs ?? null }, 200);
});
