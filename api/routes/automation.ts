/** The one switch of the site above all flags. */
import { createRoute } from '@hono/zod-openapi';
import { presentAutomation, readAutomationView } from '../automation-view.ts';
import { fieldError } from '../errors.ts';
import { futureMoment } from '../future-moment.ts';
import { liveEvent } from '../live-event.ts';
import { identityOf } from '../router.ts';
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

automationRoutes.openapi(readAutomation, async (c) =>
  c.json(await readAutomationView(c.get('api').dependencies), 200),
);

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

automationRoutes.openapi(setAutomation, async (c) => {
  const { dependencies } = c.get('api');
  const { store, cache, config, now } = dependencies;
  const { state, reason, until } = c.req.valid('json');
  if (state === 'running' && until !== undefined) {
    throw fieldError('until', 'only a pause has an end');
  }
  const automation = {
    siteName: config.site,
    state,
    setBy: identityOf(c).actor,
    reason,
    setAtMs: now(),
    untilMs: futureMoment('until', until, now()),
  };
  c.set('auditTarget', config.site);
  c.set('auditDetail', state);
  await store.saveAutomation(automation);
  await cache.publish(liveEvent(dependencies, 'automation'));
  return c.json(presentAutomation(config.site, automation, now()), 200);
});
