/** Sites, and which of them see each other. */
import { createRoute, z } from '@hono/zod-openapi';
import { findSite, presentSite, readCluster } from '../cluster-view.ts';
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

siteRoutes.openapi(listSites, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  return c.json({ sites: cluster.sites.map((site) => presentSite(cluster, site)) }, 200);
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

siteRoutes.openapi(readSite, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  return c.json(presentSite(cluster, findSite(cluster.sites, c.req.valid('param').site)), 200);
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

siteRoutes.openapi(readReachability, async (c) => {
  const { dependencies } = c.get('api');
  const [cluster, pairs] = await Promise.all([
    readCluster(dependencies),
    dependencies.geodb.readSiteReachability(),
  ]);
  const named = pairs.map(({ sourceSiteId, targetSiteId, isReachable, checkedAtMs }) => ({
    source: cluster.siteNameOf(sourceSiteId) ?? sourceSiteId,
    target: cluster.siteNameOf(targetSiteId) ?? targetSiteId,
    isReachable,
    checkedAtMs,
  }));
  return c.json({ sites: cluster.sites.map(({ name }) => name), pairs: named }, 200);
});
