/** Moves that are under way without an Operation of ours. */
import { createRoute } from '@hono/zod-openapi';
import { readCluster } from '../cluster-view.ts';
import { presentForeignMoves } from '../foreign-moves-view.ts';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { ForeignMovesView } from '../schemas/cluster.ts';

export const moveRoutes = createRouter();

const readForeignMoves = createRoute({
  operationId: 'readForeignMoves',
  tags: ['operations'],
  summary: 'Moves off Backends of the home site that no Operation of this controller began',
  method: 'get',
  path: '/moves/foreign',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(ForeignMovesView, 'Counts by source'), ...problems() },
});

moveRoutes.openapi(readForeignMoves, async (c) => {
  const { dependencies } = c.get('api');
  const [cluster, scan] = await Promise.all([
    readCluster(dependencies),
    dependencies.store.readForeignMoveScan(dependencies.config.site),
  ]);
  return c.json(presentForeignMoves(cluster, scan), 200);
});
