/** Backends and the users that live there. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { BackendDetail, BackendList, BackendUserPage } from '../schemas/cluster.ts';
import { pageQuery } from '../schemas/problem.ts';

export const backendRoutes = createRouter();

export const HostParams = z.object({ host: z.string().min(1).max(255) });

const listBackends = createRoute({
  operationId: 'listBackends',
  tags: ['backends'],
  summary: 'Backends of the home site, or of another',
  method: 'get',
  path: '/backends',
  ...access({ role: 'viewer' }),
  request: { query: z.object({ site: z.string().min(1).max(255).optional() }) },
  responses: { 200: jsonAnswer(BackendList, 'Backends, by host'), ...problems(404, 422) },
});

const readBackend = createRoute({
  operationId: 'readBackend',
  tags: ['backends'],
  summary: 'One Backend, with its features and last decisions',
  method: 'get',
  path: '/backends/{host}',
  ...access({ role: 'viewer' }),
  request: { params: HostParams },
  responses: { 200: jsonAnswer(BackendDetail, 'The Backend'), ...problems(404, 422) },
});

const pageBackendUsers = createRoute({
  operationId: 'pageBackendUsers',
  tags: ['backends', 'users'],
  summary: 'Users that live on a Backend, a page at a time',
  method: 'get',
  path: '/backends/{host}/users',
  ...access({ role: 'viewer' }),
  request: { params: HostParams, query: z.object(pageQuery) },
  responses: { 200: jsonAnswer(BackendUserPage, 'Users, in token order'), ...problems(404, 422) },
});

backendRoutes.openapi(listBackends, notYet);

backendRoutes.openapi(readBackend, notYet);

backendRoutes.openapi(pageBackendUsers, notYet);
