/** The first page of the UI in one document. */
import { createRoute } from '@hono/zod-openapi';
import { readOverview } from '../overview.ts';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { OverviewView } from '../schemas/overview.ts';

export const overviewRoutes = createRouter();

const overview = createRoute({
  operationId: 'readOverview',
  tags: ['overview'],
  summary: 'Is my cluster all right',
  method: 'get',
  path: '/overview',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(OverviewView, 'The home site'), ...problems() },
});

overviewRoutes.openapi(overview, async (c) => c.json(await readOverview(c.get('api')), 200));
