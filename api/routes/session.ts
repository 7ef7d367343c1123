/** Sign-in, sign-out, and who am I. */
import { createRoute } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import {
  clearSessionCookie,
  hashSecret,
  newSecret,
  requireSameOrigin,
  SESSION_LIFETIME_MS,
  setSessionCookie,
} from '../auth.ts';
import { ApiError } from '../errors.ts';
import { identityOf, type ApiEnv } from '../router.ts';
import { access, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { SessionView, SignIn } from '../schemas/account.ts';

/** Sign-ins are audited with their limit, see audit-refusals.ts. */
const markSignIn: MiddlewareHandler<ApiEnv> = async (c, next) => {
  c.set('isSignIn', true);
  await next();
};

export const signInRoutes = createRouter();
export const sessionRoutes = createRouter();

const signIn = createRoute({
  operationId: 'signIn',
  tags: ['session'],
  summary: 'Exchange the one-time secret of a sign-in link for a session cookie',
  method: 'post',
  path: '/session',
  security: [],
  middleware: [markSignIn],
  request: { body: jsonBody(SignIn) },
  responses: { 201: jsonAnswer(SessionView, 'Signed in'), ...problems(400, 413, 415, 422) },
});

signInRoutes.openapi(signIn, async (c) => {
  const { accounts, config, now } = c.get('api').dependencies;
  requireSameOrigin(c, config.http.publicUrl, { mustBeStated: false });
  const link = await accounts.useSignInLink(hashSecret(c.req.valid('json').secret));
  if (link === null || link.expiresAtMs <= now()) {
    throw new ApiError('SignInRefused', 'the link was used before, has expired or is wrong');
  }
  const secret = newSecret('');
  const identity = {
    kind: 'session',
    role: link.role,
    name: link.role,
    actor: `session:${link.role}`,
    expiresAtMs: now() + SESSION_LIFETIME_MS,
    secretHash: hashSecret(secret),
  } as const;
  const { role, name, expiresAtMs, secretHash } = identity;
  await accounts.saveSession({ secretHash, role, name, createdAtMs: now(), expiresAtMs });
  c.set('identity', identity);
  setSessionCookie(c, secret, config.http.publicUrl);
  return c.json(presentSession(c), 201);
});

const readSession = createRoute({
  operationId: 'readSession',
  tags: ['session'],
  summary: 'Who am I',
  method: 'get',
  path: '/session',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(SessionView, 'The session or token in use'), ...problems() },
});

sessionRoutes.openapi(readSession, (c) => c.json(presentSession(c), 200));

const signOut = createRoute({
  operationId: 'signOut',
  tags: ['session'],
  summary: 'End this session',
  method: 'delete',
  path: '/session',
  ...access({ role: 'viewer', action: 'session.end' }),
  responses: { 204: { description: 'Signed out' }, ...problems() },
});

sessionRoutes.openapi(signOut, async (c) => {
  const identity = identityOf(c);
  if (identity.kind === 'session') {
    await c.get('api').dependencies.accounts.removeSession(identity.secretHash);
  }
  clearSessionCookie(c);
  return c.body(null, 204);
});

function presentSession(c: Context<ApiEnv>) {
  const { kind, role, name, actor, expiresAtMs } = identityOf(c);
  const { config, now } = c.get('api').dependencies;
  return { kind, role, name, actor, expiresAtMs, siteName: config.site, nowMs: now() };
}
