/** Bearer tokens, for admins. */
import { createRoute, z } from '@hono/zod-openapi';
import { ulid } from 'ulid';
import type { ApiToken } from '../../gateways/controller-store/accounts.ts';
import { hashSecret, newSecret } from '../auth.ts';
import { ApiError } from '../errors.ts';
import { futureMoment } from '../future-moment.ts';
import { identityOf } from '../router.ts';
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

tokenRoutes.openapi(listTokens, async (c) => {
  const tokens = await c.get('api').dependencies.accounts.listTokens();
  return c.json({ tokens: tokens.map(presentToken) }, 200);
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

tokenRoutes.openapi(createToken, async (c) => {
  const { accounts, now } = c.get('api').dependencies;
  const { name, role, expiresAt } = c.req.valid('json');
  const secret = newSecret('dk_');
  const token: ApiToken = {
    tokenId: ulid(),
    secretHash: hashSecret(secret),
    name,
    role,
    createdBy: identityOf(c).actor,
    createdAtMs: now(),
    expiresAtMs: futureMoment('expiresAt', expiresAt, now()),
  };
  await accounts.saveToken(token);
  c.set('auditTarget', token.tokenId);
  c.set('auditDetail', `${name} as ${role}`);
  return c.json({ ...presentToken(token), token: secret }, 201);
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

tokenRoutes.openapi(removeToken, async (c) => {
  const { tokenId } = c.req.valid('param');
  if (!(await c.get('api').dependencies.accounts.removeToken(tokenId))) {
    throw new ApiError('TokenUnknown', `there is no token ${tokenId}`);
  }
  return c.body(null, 204);
});

/** Everything but the hash. */
function presentToken({ secretHash: _hash, ...shown }: ApiToken) {
  return shown;
}
