/** Backends and the users that live there. */
import { createRoute, z } from '@hono/zod-openapi';
import { presentBackend, presentBackends, readSiteFacts } from '../backend-view.ts';
import { findBackend, findSite, readCluster } from '../cluster-view.ts';
import { effectiveFeatures } from '../feature-view.ts';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { BackendDetail, BackendList, BackendUserPage } from '../schemas/cluster.ts';
import { pageQuery } from '../schemas/problem.ts';

export const backendRoutes = createRouter();

const SHOWN_DECISIONS = 20;

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

backendRoutes.openapi(listBackends, async (c) => {
  const state = c.get('api');
  const cluster = await readCluster(state.dependencies);
  const name = c.req.valid('query').site;
  const site = name === undefined ? cluster.home : findSite(cluster.sites, name);
  const facts = await readSiteFacts(state, cluster, site);
  return c.json({ siteName: site.name, backends: presentBackends(state, facts) }, 200);
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

backendRoutes.openapi(readBackend, async (c) => {
  const state = c.get('api');
  const { dependencies } = state;
  const cluster = await readCluster(dependencies);
  const backend = findBackend(cluster, c.req.valid('param').host);
  const site = findSite(cluster.sites, backend.siteId);
  const [facts, page] = await Promise.all([
    readSiteFacts(state, cluster, site),
    dependencies.store.readDecisions({
      siteName: site.name,
      host: backend.host,
      limit: SHOWN_DECISIONS,
    }),
  ]);
  const place = { siteId: site.id, backendId: backend.id, nowMs: dependencies.now() };
  const detail = {
    ...presentBackend(state, facts, backend),
    isHome: site.id === cluster.home.id,
    features: effectiveFeatures(cluster, facts.flags, place),
    lastDecisions: page.decisions,
  };
  return c.json(detail, 200);
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

backendRoutes.openapi(pageBackendUsers, async (c) => {
  const { dependencies } = c.get('api');
  const { limit, cursor } = c.req.valid('query');
  const cluster = await readCluster(dependencies);
  const { id, host } = findBackend(cluster, c.req.valid('param').host);
  const page = await dependencies.geodb.pageUsers(id, { limit, cursor: cursor ?? null });
  const users = page.users.map(({ username, altBackendId, isMoving, lastMovedMs }) => ({
    username,
    alternativeHost: altBackendId === null ? null : cluster.hostOf(altBackendId),
    isMoving,
    lastMovedMs,
  }));
  return c.json({ host, users, cursor: page.cursor }, 200);
});
