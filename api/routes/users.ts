/** Where a user lives. */
import { createRoute, z } from '@hono/zod-openapi';
import { readCluster, type Cluster } from '../cluster-view.ts';
import { ApiError } from '../errors.ts';
import { presentMove } from '../operation-view.ts';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { UserView } from '../schemas/cluster.ts';

const SHOWN_MOVES = 50;

export const userRoutes = createRouter();

const readUser = createRoute({
  operationId: 'readUser',
  tags: ['users'],
  summary: 'Home, alternative and moves of one user',
  method: 'get',
  path: '/users/{username}',
  ...access({ role: 'viewer' }),
  request: { params: z.object({ username: z.string().min(1).max(320) }) },
  responses: { 200: jsonAnswer(UserView, 'The user'), ...problems(404, 422) },
});

userRoutes.openapi(readUser, async (c) => {
  const { dependencies } = c.get('api');
  const { username } = c.req.valid('param');
  const [cluster, user, moves] = await Promise.all([
    readCluster(dependencies),
    dependencies.geodb.readUser(username),
    dependencies.store.readMovesOfUser(username, SHOWN_MOVES),
  ]);
  if (user === null) {
    throw new ApiError('UserUnknown', `there is no user ${username}`);
  }
  const view = {
    username: user.username,
    home: placeOf(cluster, user.backendId),
    alternative: user.altBackendId === null ? null : placeOf(cluster, user.altBackendId),
    isMoving: user.isMoving,
    lastMovedMs: user.lastMovedMs,
    moves: moves.map((row) => presentMove(cluster, row)),
  };
  return c.json(view, 200);
});

function placeOf(cluster: Cluster, backendId: string) {
  const backend = cluster.backends.find(({ id }) => id === backendId);
  const siteName = backend === undefined ? null : cluster.siteNameOf(backend.siteId);
  return { backendId, host: backend?.host ?? null, siteName };
}
