/** The HTTP application: order of the layers, and nothing else. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { secureHeaders } from 'hono/secure-headers';
import type { MiddlewareHandler } from 'hono';
import { ulid } from 'ulid';
import { authenticate } from './auth.ts';
import type { Dependencies } from './dependencies.ts';
import { answerProblem, ApiError, problemOf, toApiError } from './errors.ts';
import {
  API_PREFIX,
  GUARDED_ROUTES,
  healthRoutes,
  openapiDocument,
  signInRoutes,
} from './openapi.ts';
import { refusalsAudited } from './audit-refusals.ts';
import { createRouter, type ApiEnv } from './router.ts';
import { createState, type ApiState } from './state.ts';
import { staticFiles } from './static-files.ts';

const MAX_BODY_BYTES = 64 * 1024;

export interface App {
  readonly http: OpenAPIHono<ApiEnv>;
  /** Ends the live streams, which a stopping server would wait for. */
  close(): Promise<void>;
}

export function createApp(dependencies: Dependencies): App {
  const state = createState(dependencies);
  const http = createRouter();
  const { publicUrl, uiDir } = dependencies.config.http;
  http.use(prepare(state));
  http.use(headers(publicUrl));
  http.onError((error, c) => {
    const requestId = c.get('requestId');
    const known = toApiError(error);
    if (known === null) dependencies.logger.error({ error, requestId }, 'request failed');
    const answer =
      known ?? new ApiError('InternalError', 'a mistake of ours: see the log', {}, error);
    c.set('problemCode', answer.code);
    return answerProblem(c, problemOf(answer, requestId));
  });
  http.notFound((c) => {
    const error = new ApiError('NotFound', `there is no ${c.req.method} ${c.req.path}`);
    return answerProblem(c, problemOf(error, c.get('requestId')));
  });

  http.route('/', healthRoutes);
  http.use(`${API_PREFIX}/*`, noStore);
  http.use(`${API_PREFIX}/*`, limitBody());
  http.use(`${API_PREFIX}/*`, refusalsAudited(dependencies));
  http.route(API_PREFIX, signInRoutes);
  http.use(`${API_PREFIX}/*`, authenticate({ ...dependencies, publicUrl }));
  for (const routes of GUARDED_ROUTES) http.route(API_PREFIX, routes);
  http.get(`${API_PREFIX}/openapi.json`, (c) => c.json(openapiDocument()));
  http.all('/api/*', (c) => c.notFound());
  http.use(staticFiles(uiDir));
  return { http, close: () => state.live.close() };
}

function prepare(state: ApiState): MiddlewareHandler<ApiEnv> {
  const { logger, now } = state.dependencies;
  return async (c, next) => {
    const startedAtMs = now();
    const requestId = ulid();
    c.set('api', state);
    c.set('requestId', requestId);
    await next();
    c.header('X-Request-Id', requestId);
    // No path: it may hold a user's name.
    const { method } = c.req;
    const fields = { requestId, method, status: c.res.status, durationMs: now() - startedAtMs };
    const actor = c.get('identity')?.actor;
    logger.debug({ ...fields, actor, code: c.get('problemCode') }, 'request answered');
  };
}

function headers(publicUrl: string): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    strictTransportSecurity: publicUrl.startsWith('https:') ? 'max-age=31536000' : false,
  });
}

const noStore: MiddlewareHandler = async (c, next) => {
  await next();
  c.header('Cache-Control', 'no-store');
};

function limitBody(): MiddlewareHandler {
  return bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new ApiError('BodyTooLarge', `the body is larger than ${MAX_BODY_BYTES} bytes`);
    },
  });
}
