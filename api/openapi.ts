/** The OpenAPI document of everything under /api/v1, and of health and metrics. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createRouter, type ApiEnv } from './router.ts';
import { auditRoutes } from './routes/audit.ts';
import { automationRoutes } from './routes/automation.ts';
import { backendRoutes } from './routes/backends.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { evacuateRoutes } from './routes/evacuate.ts';
import { eventRoutes } from './routes/events.ts';
import { featureRoutes } from './routes/features.ts';
import { healthRoutes } from './routes/health.ts';
import { holdRoutes } from './routes/holds.ts';
import { moveRoutes } from './routes/moves.ts';
import { moveUsersRoutes } from './routes/move-users.ts';
import { operationRoutes } from './routes/operations.ts';
import { overviewRoutes } from './routes/overview.ts';
import { sessionRoutes, signInRoutes } from './routes/session.ts';
import { siteRoutes } from './routes/sites.ts';
import { taskRoutes } from './routes/tasks.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { userRoutes } from './routes/users.ts';

export const API_PREFIX = '/api/v1';

/** Routes that take a session or a token. */
export const GUARDED_ROUTES = [
  sessionRoutes,
  overviewRoutes,
  eventRoutes,
  siteRoutes,
  backendRoutes,
  evacuateRoutes,
  userRoutes,
  holdRoutes,
  moveRoutes,
  moveUsersRoutes,
  operationRoutes,
  decisionRoutes,
  featureRoutes,
  automationRoutes,
  taskRoutes,
  auditRoutes,
  tokenRoutes,
];

export { healthRoutes, signInRoutes };

/** The document; the same bytes for the same routes. */
export function openapiDocument() {
  const app = createRouter();
  describeSecurity(app);
  app.route('/', healthRoutes);
  app.route(API_PREFIX, signInRoutes);
  for (const routes of GUARDED_ROUTES) {
    app.route(API_PREFIX, routes);
  }
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Dovekeeper',
      version: '1',
      description:
        'Cluster controller for Dovecot mail clusters. Times are milliseconds since 1970, UTC. ' +
        'Errors are application/problem+json with a stable code.',
    },
    servers: [{ url: '/' }],
  });
}

function describeSecurity(app: OpenAPIHono<ApiEnv>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'dovekeeper_session',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
  });
}
