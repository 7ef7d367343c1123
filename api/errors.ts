/** The only mapping from errors to answers: RFC 9457 problems with a stable code. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { GatewayError, type GatewaySystem } from '../gateways/gateway-error.ts';
import type { Problem } from './schemas/problem.ts';

/** Every code, its status and its title. */
export const PROBLEM_CODES = {
  MalformedJson: [400, 'Malformed JSON'],
  MalformedRequest: [400, 'Malformed request'],
  Unauthenticated: [401, 'Not signed in'],
  SignInRefused: [401, 'Sign-in refused'],
  CrossSiteRequest: [403, 'Request from another origin'],
  RoleTooLow: [403, 'Role too low'],
  NotFound: [404, 'Not found'],
  SiteUnknown: [404, 'Unknown site'],
  BackendUnknown: [404, 'Unknown Backend'],
  UserUnknown: [404, 'Unknown user'],
  OperationUnknown: [404, 'Unknown operation'],
  DecisionUnknown: [404, 'Unknown decision'],
  FeatureUnknown: [404, 'Unknown feature'],
  TaskUnknown: [404, 'Unknown task'],
  TokenUnknown: [404, 'Unknown token'],
  OperationRunning: [409, 'Another operation is running'],
  OperationStateConflict: [409, 'The state of the operation forbids it'],
  MoverNotRunning: [409, 'No mover runs'],
  NotHomeSite: [409, 'Not the home site'],
  NotTheOwner: [409, 'This controller does not own the site'],
  PlanOutdated: [409, 'The plan is out of date'],
  NoTarget: [409, 'No Backend can take the users'],
  TaskNotScheduled: [409, 'No clock drives this task'],
  IdempotencyInProgress: [409, 'The same request is in progress'],
  BodyTooLarge: [413, 'Body too large'],
  UnsupportedMediaType: [415, 'Unsupported media type'],
  ValidationFailed: [422, 'Validation failed'],
  IdempotencyKeyReused: [422, 'Idempotency key used for another request'],
  TooManyStreams: [503, 'Too many live streams'],
  InternalError: [500, 'Internal error'],
  BackendUnreachable: [502, 'Backend not reachable'],
  CassandraUnavailable: [503, 'Cassandra does not work'],
  TableMissing: [503, 'A table is missing'],
  TemporalUnavailable: [503, 'Temporal does not work'],
  PrometheusUnavailable: [503, 'Prometheus does not work'],
  RedisUnavailable: [503, 'Redis does not work'],
} as const satisfies Record<string, readonly [number, string]>;
export type ProblemCode = keyof typeof PROBLEM_CODES;

export type ProblemExtras = Pick<Problem, 'details' | 'system' | 'operationId' | 'state'>;

/** An operator's mistake, or a request that the state of things forbids. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, message: string, extras: ProblemExtras = {}, cause?: unknown) {
    super(message, { cause });
    this.name = 'ApiError';
    this.code = code;
    this.extras = extras;
  }
}

export interface FieldIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Zod issues as the `details` of a problem. */
export function fieldIssues(issues: readonly FieldIssue[]) {
  return issues.map(({ path, message }) => ({ field: path.join('.') || 'body', message }));
}

/** A 422 that names one field. */
export function fieldError(field: string, message: string): ApiError {
  return new ApiError('ValidationFailed', `${field}: ${message}`, {
    details: [{ field, message }],
  });
}

/** Whatever was thrown, as an ApiError; null: a mistake of ours. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) {
    return error;
  }
  if (error instanceof GatewayError) {
    return fromGatewayError(error);
  }
  if (error instanceof HTTPException) {
    return fromHttpException(error);
  }
  return null;
}

/** The problem document; also for places that answer without throwing. */
export function problemOf(error: ApiError, requestId: string): Problem {
  const [status, title] = PROBLEM_CODES[error.code];
  return {
    type: 'about:blank',
    title,
    status,
    code: error.code,
    message: error.message,
    requestId,
    ...error.extras,
  };
}

/** Answers a problem; temporary trouble tells when to ask again. */
export function answerProblem(c: Context, problem: Problem): Response {
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  if (problem.status === 503) {
    headers['Retry-After'] = '5';
  }
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...headers, 'X-Request-Id': problem.requestId, 'Cache-Control': 'no-store' },
  });
}

const SYSTEM_CODES: Readonly<Record<GatewaySystem, ProblemCode>> = {
  cassandra: 'CassandraUnavailable',
  temporal: 'TemporalUnavailable',
  prometheus: 'PrometheusUnavailable',
  redis: 'RedisUnavailable',
  doveadm: 'BackendUnreachable',
};

const SYSTEM_NAMES: Readonly<Record<GatewaySystem, string>> = {
  cassandra: 'Cassandra',
  temporal: 'Temporal',
  prometheus: 'Prometheus',
  redis: 'Redis',
  doveadm: 'doveadm',
};

function fromGatewayError(error: GatewayError): ApiError {
  const extras = { system: error.system };
  const subject = error.subject === null ? '' : ` (${error.subject})`;
  if (error.code === 'InvalidArgument') {
    return new ApiError('ValidationFailed', `refused as invalid${subject}`, extras, error);
  }
  if (error.code === 'MissingTable') {
    const table = error.subject ?? 'a table';
    return new ApiError('TableMissing', `Cassandra has no ${table}`, extras, error);
  }
  const name = SYSTEM_NAMES[error.system];
  const text = `${name} does not answer as it should${subject}: ${error.code}`;
  return new ApiError(SYSTEM_CODES[error.system], text, extras, error);
}

function fromHttpException(error: HTTPException): ApiError {
  switch (error.status) {
    case 400:
      return error.message.includes('JSON')
        ? new ApiError('MalformedJson', 'the body is not well-formed JSON', {}, error)
        : new ApiError('MalformedRequest', error.message, {}, error);
    case 413:
      return new ApiError('BodyTooLarge', 'the body is larger than allowed', {}, error);
    case 415:
      return new ApiError('UnsupportedMediaType', 'send application/json', {}, error);
    default:
      return new ApiError('MalformedRequest', error.message, {}, error);
  }
}
