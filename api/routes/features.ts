/** Feature flags at the global, site and Backend level. */
import { notYet } from '../not-yet.ts';
import { createRoute, z } from '@hono/zod-openapi';
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

featureRoutes.openapi(readFeatures, notYet);

featureRoutes.openapi(setFeature, notYet);
