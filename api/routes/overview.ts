/** The first page of the UI in one document. */
import { notYet } from '../not-yet.ts';
import { createRoute } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { OverviewView } from '../schemas/overview.ts';

export const overviewRoutes = createRouter();

const readOverview = createRoute({
  operationId: 'readOverview',
  tags: ['overview'],
  summary: 'Is my cluster all right',
  method: 'get',
  path: '/overview',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(OverviewView, 'The home site'), ...problems() },
});

overviewRoutes.openapi(readOverview, notYet);
