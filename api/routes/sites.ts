/** Sites, and which of them see each other. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
import { access, createRouter, jsonAnswer, problems } from '../router.ts';
import { ReachabilityView, SiteList, SiteView } from '../schemas/cluster.ts';

export const siteRoutes = createRouter();

const listSites = createRoute({
  operationId: 'listSites',
  tags: ['sites'],
  summary: 'All sites of the cluster',
  method: 'get',
  path: '/sites',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(SiteList, 'Sites, by name'), ...problems() },
});

const readSite = createRoute({
  operationId: 'readSite',
  tags: ['sites'],
  summary: 'One site, by name or id',
  method: 'get',
  path: '/sites/{site}',
  ...access({ role: 'viewer' }),
  request: { params: z.object({ site: z.string().min(1).max(255) }) },
  responses: { 200: jsonAnswer(SiteView, 'The site'), ...problems(404, 422) },
});

const readReachability = createRoute({
  operationId: 'readReachability',
  tags: ['sites'],
  summary: 'Which site reaches which, as the proxies measured it; never acted upon',
  method: 'get',
  path: '/reachability',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(ReachabilityView, 'Pairs of sites'), ...problems() },
});

siteRoutes.openapi(listSites, notYet);

siteRoutes.openapi(readSite, notYet);

siteRoutes.openapi(readReachability, notYet);
