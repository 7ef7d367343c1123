/** Where a user lives. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { UserView } from '../schemas/cluster.ts';

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

userRoutes.openapi(readUser, notYet);
