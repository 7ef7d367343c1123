/** Sign-in, sign-out, and who am I. */
import { notYet } from '../not-yet.ts';
import { createRoute } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { SessionView, SignIn } from '../schemas/account.ts';

export const signInRoutes = createRouter();
export const sessionRoutes = createRouter();

const signIn = createRoute({
  operationId: 'signIn',
  tags: ['session'],
  summary: 'Exchange the one-time secret of a sign-in link for a session cookie',
  method: 'post',
  path: '/session',
  security: [],
  request: { body: jsonBody(SignIn) },
  responses: { 201: jsonAnswer(SessionView, 'Signed in'), ...problems(400, 413, 415, 422) },
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

const signOut = createRoute({
  operationId: 'signOut',
  tags: ['session'],
  summary: 'End this session',
  method: 'delete',
  path: '/session',
  ...access({ role: 'viewer', action: 'session.end' }),
  responses: { 204: { description: 'Signed out' }, ...problems() },
});

signInRoutes.openapi(signIn, notYet);

sessionRoutes.openapi(readSession, notYet);

sessionRoutes.openapi(signOut, notYet);
