/** Feature flags at the global, site and Backend level. */
import { createRoute, z } from '@hono/zod-openapi';
import { parseFeatureState } from '../../workflows/domain/feature-flag.ts';
import { changeFeature, parseFeature } from '../change-feature.ts';
import { readCluster } from '../cluster-view.ts';
import { presentFeatures, readFeatureSettings } from '../feature-view.ts';
import { identityOf } from '../router.ts';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { FeatureChange, FeaturesView } from '../schemas/feature.ts';

export const featureRoutes = createRouter();

const readFeatures = createRoute({
  operationId: 'readFeatures',
  tags: ['features'],
  summary: 'States in effect, and every set flag with who, why and until when',
  method: 'get',
  path: '/features',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(FeaturesView, 'Features'), ...problems() },
});

featureRoutes.openapi(readFeatures, async (c) => {
  const { dependencies } = c.get('api');
  const [cluster, settings] = await Promise.all([
    readCluster(dependencies),
    readFeatureSettings(dependencies),
  ]);
  return c.json(presentFeatures(cluster, settings, dependencies.now()), 200);
});

const setFeature = createRoute({
  operationId: 'setFeature',
  tags: ['features'],
  summary: 'Set or unset a flag at one level',
  method: 'put',
  path: '/features/{feature}',
  ...access({ role: 'operator', action: 'feature.set' }),
  request: {
    params: z.object({ feature: z.string().min(1).max(100) }),
    body: jsonBody(FeatureChange),
  },
  responses: {
    200: jsonAnswer(FeaturesView, 'Features after the change'),
    ...changeProblems(),
    ...problems(404, 409),
  },
});

featureRoutes.openapi(setFeature, async (c) => {
  const { dependencies } = c.get('api');
  const { level, target, state, reason, expiresAt } = c.req.valid('json');
  const feature = parseFeature(c.req.valid('param').feature);
  c.set('auditDetail', `${level} ${target ?? ''} ${state ?? 'unset'}`);
  const cluster = await readCluster(dependencies);
  await changeFeature(dependencies, cluster, {
    feature,
    level,
    target: target ?? null,
    state: state === null ? null : (parseFeatureState(state) ?? null),
    reason,
    expiresAt: expiresAt ?? null,
    actor: identityOf(c).actor,
  });
  const settings = await readFeatureSettings(dependencies);
  return c.json(presentFeatures(cluster, settings, dependencies.now()), 200);
});
