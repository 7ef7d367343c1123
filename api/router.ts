/** What every route file needs: the router, who may call a route, how its answers are declared. */
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { Role } from '../gateways/controller-store/accounts.ts';
import { audited } from './audit.ts';
import { requireRole, type Identity } from './auth.ts';
import type { ApiState } from './state.ts';
import { ApiError, fieldIssues } from './errors.ts';
import { Problem } from './schemas/problem.ts';

export interface ApiEnv {
  Variables: {
    api: ApiState;
    requestId: string;
    /** Code of the problem that was answered. */
    problemCode?: string;
    /** Set by `authenticate`; absent on the open routes. */
    identity?: Identity;
    /** The request asks for a session. */
    isSignIn?: boolean;
    /** A handler may say more about a change than its path does. */
    auditTarget?: string;
    auditDetail?: string;
  };
}

/** A router whose validation errors are 422 and name the fields. */
export function createRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) {
        throw new ApiError('ValidationFailed', 'the request is not valid', {
          details: fieldIssues(result.error.issues),
        });
      }
    },
  });
}

export interface Access {
  readonly role: Role;
  /** Verb and noun for the audit; present on every route that changes something. */
  readonly action?: string;
  readonly middleware?: readonly MiddlewareHandler<ApiEnv>[];
}

/** Security part of a route: checked before its input is even read. */
export function access({ role, action, middleware = [] }: Access) {
  const audit = action === undefined ? [] : [audited(action)];
  return {
    security: [{ session: [] }, { bearer: [] }],
    'x-required-role': role,
    middleware: [...audit, requireRole(role), ...middleware],
  };
}

/** A JSON body that must be there. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}

/** A JSON answer. */
export function jsonAnswer<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } } as const;
}

const PROBLEM_TEXTS = {
  400: 'Malformed request',
  401: 'No session and no token',
  403: 'The role does not allow it',
  404: 'No such thing',
  409: 'The state of things forbids it',
  413: 'The body is too large',
  415: 'Not JSON',
  422: 'A field is wrong; details name it',
  502: 'A mail server gave no usable answer',
  503: 'A neighbour does not work; `system` names it',
} as const;

type ProblemStatus = keyof typeof PROBLEM_TEXTS;

/** The problem answers of a route; 401, 403 and 503 are on every route. */
export function problems<S extends ProblemStatus>(...statuses: S[]) {
  const content = { 'application/problem+json': { schema: Problem } };
  const all = [...new Set<ProblemStatus>([401, 403, 503, ...statuses])];
  return Object.fromEntries(
    all.map((status) => [status, { description: PROBLEM_TEXTS[status], content }]),
  ) as Record<never, never>;
}

/** Of a change: what every one with a body may answer. */
export const changeProblems = () => problems(400, 413, 415, 422);

/** Who asks; only on routes behind `authenticate`. */
export function identityOf(c: Context<ApiEnv>): Identity {
  const identity = c.get('identity');
  if (identity === undefined) {
    throw new Error('route is not behind authenticate');
  }
  return identity;
}
