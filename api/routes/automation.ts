/** The one switch of the site above all flags. */
import { notYet } from '../not-yet.ts';
import { createRoute } from '@hono/zod-openapi';
import { access, changeProblems, createRouter, jsonAnswer, jsonBody, problems } from '../router.ts';
import { AutomationChange, AutomationView } from '../schemas/feature.ts';

export const automationRoutes = createRouter();

const readAutomation = createRoute({
  operationId: 'readAutomation',
  tags: ['automation'],
  summary: 'Whether automation of the home site runs',
  method: 'get',
  path: '/automation',
  ...access({ role: 'viewer' }),
  responses: { 200: jsonAnswer(AutomationView, 'The switch'), ...problems() },
});

const setAutomation = createRoute({
  operationId: 'setAutomation',
  tags: ['automation'],
  summary: 'Pause or resume all automation of the home site',
  method: 'put',
  path: '/automation',
  ...access({ role: 'operator', action: 'automation.set' }),
  request: { body: jsonBody(AutomationChange) },
  responses: {
    200: jsonAnswer(AutomationView, 'The switch after the change'),
    ...changeProblems(),
  },
});

automationRoutes.openapi(readAutomation, notYet);

automationRoutes.openapi(setAutomation, notYet);
