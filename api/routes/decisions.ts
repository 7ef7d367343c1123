/** What was decided, and why. */
import { createRoute, z } from '@hono/zod-openapi';
import { replayDecision } from '../../workflows/policy/replay-decision.ts';
import { ApiError } from '../errors.ts';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import {
  DecisionDetail,
  DecisionFilter,
  DecisionPageView,
  DecisionReplay,
} from '../schemas/decision.ts';

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

decisionRoutes.openapi(listDecisions, async (c) => {
  const { store, config } = c.get('api').dependencies;
  const { task, host, kind, cursor, limit } = c.req.valid('query');
  const page = await store.readDecisions({
    siteName: config.site,
    ...(task === undefined ? {} : { task }),
    ...(host === undefined ? {} : { host }),
    ...(kind === undefined ? {} : { kind }),
    cursor: cursor ?? null,
    limit,
  });
  return c.json({ decisions: page.decisions, cursor: page.cursor }, 200);
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

decisionRoutes.openapi(readDecision, async (c) => {
  const { store, config } = c.get('api').dependencies;
  const { decisionId } = c.req.valid('param');
  const decision = await store.readDecision(config.site, decisionId);
  if (decision === null) {
    throw new ApiError('DecisionUnknown', `there is no decision ${decisionId}`);
  }
  const snapshot = await store.readSnapshot(decision.snapshotId);
  return c.json({ decision, snapshot }, 200);
});

const replayRecorded = createRoute({
  operationId: 'replayDecision',
  tags: ['decisions'],
  summary: 'Decides again from the stored snapshot: the answer must be the same, byte for byte',
  method: 'get',
  path: '/decisions/{decisionId}/replay',
  ...access({ role: 'viewer' }),
  request: { params: z.object({ decisionId: z.string().min(1).max(64) }) },
  responses: { 200: jsonAnswer(DecisionReplay, 'What came out'), ...problems(404, 422) },
});

decisionRoutes.openapi(replayRecorded, async (c) => {
  const { store, config } = c.get('api').dependencies;
  const { decisionId } = c.req.valid('param');
  const decision = await store.readDecision(config.site, decisionId);
  if (decision === null) {
    throw new ApiError('DecisionUnknown', `there is no decision ${decisionId}`);
  }
  const snapshot = await store.readSnapshot(decision.snapshotId);
  if (snapshot === null) {
    return c.json({ decisionId, outcome: 'snapshotExpired' as const, again: [] }, 200);
  }
  return c.json({ decisionId, ...replayDecision(decision, snapshot) }, 200);
});
