/** What was decided, and why. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { DecisionDetail, DecisionFilter, DecisionPageView } from '../schemas/decision.ts';

export const decisionRoutes = createRouter();

const listDecisions = createRoute({
  operationId: 'listDecisions',
  tags: ['decisions'],
  summary: 'Decisions of the home site, newest first',
  method: 'get',
  path: '/decisions',
  ...access({ role: 'viewer' }),
  request: { query: DecisionFilter },
  responses: { 200: jsonAnswer(DecisionPageView, 'Decisions'), ...problems(422) },
});

const readDecision = createRoute({
  operationId: 'readDecision',
  tags: ['decisions'],
  summary: 'One decision with the snapshot that it was made from',
  method: 'get',
  path: '/decisions/{decisionId}',
  ...access({ role: 'viewer' }),
  request: { params: z.object({ decisionId: z.string().min(1).max(64) }) },
  responses: { 200: jsonAnswer(DecisionDetail, 'The decision'), ...problems(404, 422) },
});

decisionRoutes.openapi(listDecisions, notYet);

decisionRoutes.openapi(readDecision, notYet);
