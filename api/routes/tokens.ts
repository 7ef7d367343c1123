/** Bearer tokens, for admins. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { CreatedToken, NewToken, TokenList } from '../schemas/account.ts';
import { reasonField } from '../schemas/problem.ts';

export const tokenRoutes = createRouter();

const listTokens = createRoute({
  operationId: 'listTokens',
  tags: ['tokens'],
  summary: 'All tokens, without their secrets',
  method: 'get',
  path: '/tokens',
  ...access({ role: 'admin' }),
  responses: { 200: jsonAnswer(TokenList, 'Tokens'), ...problems() },
});

const createToken = createRoute({
  operationId: 'createToken',
  tags: ['tokens'],
  summary: 'Create a token; it is shown this once',
  method: 'post',
  path: '/tokens',
  ...access({ role: 'admin', action: 'token.create' }),
  request: { body: jsonBody(NewToken) },
  responses: { 201: jsonAnswer(CreatedToken, 'Created'), ...changeProblems() },
});

const removeToken = createRoute({
  operationId: 'removeToken',
  tags: ['tokens'],
  summary: 'Remove a token; it stops working at once',
  method: 'delete',
  path: '/tokens/{tokenId}',
  ...access({ role: 'admin', action: 'token.remove' }),
  request: {
    params: z.object({ tokenId: z.string().min(1).max(100) }),
    query: z.object({ reason: reasonField }),
  },
  responses: { 204: { description: 'Removed' }, ...problems(404, 422) },
});

tokenRoutes.openapi(listTokens, notYet);

tokenRoutes.openapi(createToken, notYet);

tokenRoutes.openapi(removeToken, notYet);
