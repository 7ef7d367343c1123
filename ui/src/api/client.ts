/** The only caller of the API. Every answer is data or an ApiFailure. */
import createClient from 'openapi-fetch';
import type { paths } from './schema.d.ts';
import { ApiFailure, failureOf, noAnswer } from './failure.ts';
import type {
  EvacuationPlan,
  Feature,
  FeatureLevel,
  FeatureState,
  MovePlan,
  MovesStarted,
  Operation,
  TaskName,
} from './model.ts';

export const EVENTS_PATH = '/api/v1/events';
/** A read that takes longer counts as no answer, in milliseconds. */
const READ_TIMEOUT_MS = 15_000;

const http = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' });

/** Of a plan that was agreed to. */
export interface WantedMoves {
  readonly plan: string;
  readonly reason: string;
  /** Of full speed, 1 to 100. */
  readonly speedPercent: number;
}

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

let whenSignedOut: () => void = () => undefined;

/** Called when an answer says that the session is over. */
export function onSignedOut(listener: () => void): void {
  whenSignedOut = listener;
}

async function ask<T>(request: Promise<Answer<T>>, isChange = false): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw noAnswer(cause, isChange);
  }
  if (answer.response.ok) return answer.data as T;
  const failure = failureOf(answer.response.status, answer.error, isChange);
  if (failure.status === 401) whenSignedOut();
  throw failure;
}

function within(signal?: AbortSignal): { signal: AbortSignal } {
  const timeout = AbortSignal.timeout(READ_TIMEOUT_MS);
  return { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) };
}

/** One key for one wish: a repeat of the same request is done once. */
function once(): { 'idempotency-key': string } {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { 'idempotency-key': key };
}

export interface Page {
  readonly cursor?: string;
  readonly limit?: number;
}

type DecisionQuery = NonNullable<paths['/api/v1/decisions']['get']['parameters']['query']>;
type OperationQuery = NonNullable<paths['/api/v1/operations']['get']['parameters']['query']>;
type MoveQuery = NonNullable<
  paths['/api/v1/operations/{operationId}/moves']['get']['parameters']['query']
>;

export const api = {
  signIn: (secret: string) => ask(http.POST('/api/v1/session', { body: { secret } }), true),
  readSession: () => ask(http.GET('/api/v1/session', within())),
  signOut: () => ask(http.DELETE('/api/v1/session'), true),

  readOverview: (signal: AbortSignal) => ask(http.GET('/api/v1/overview', within(signal))),
  readReachability: (signal: AbortSignal) => ask(http.GET('/api/v1/reachability', within(signal))),
  listSites: (signal: AbortSignal) => ask(http.GET('/api/v1/sites', within(signal))),

  readBackend: (host: string, signal: AbortSignal) =>
    ask(http.GET('/api/v1/backends/{host}', { params: { path: { host } }, ...within(signal) })),
  pageBackendUsers: (host: string, query: Page, signal?: AbortSignal) =>
    ask(
      http.GET('/api/v1/backends/{host}/users', {
        params: { path: { host }, query },
        ...within(signal),
      }),
    ),
  readUser: (username: string, signal: AbortSignal) =>
    ask(
      http.GET('/api/v1/users/{username}', { params: { path: { username } }, ...within(signal) }),
    ),

  listOperations: (query: OperationQuery, signal?: AbortSignal) =>
    ask(http.GET('/api/v1/operations', { params: { query }, ...within(signal) })),
  readOperation: (operationId: string, signal: AbortSignal) =>
    ask(
      http.GET('/api/v1/operations/{operationId}', {
        params: { path: { operationId } },
        ...within(signal),
      }),
    ),
  pageMoves: (operationId: string, query: MoveQuery, signal?: AbortSignal) =>
    ask(
      http.GET('/api/v1/operations/{operationId}/moves', {
        params: { path: { operationId }, query },
        ...within(signal),
      }),
    ),

  listDecisions: (query: DecisionQuery, signal?: AbortSignal) =>
    ask(http.GET('/api/v1/decisions', { params: { query }, ...within(signal) })),
  readDecision: (decisionId: string, signal: AbortSignal) =>
    ask(
      http.GET('/api/v1/decisions/{decisionId}', {
        params: { path: { decisionId } },
        ...within(signal),
      }),
    ),

  readFeatures: (signal: AbortSignal) => ask(http.GET('/api/v1/features', within(signal))),
  listTasks: (signal: AbortSignal) => ask(http.GET('/api/v1/tasks', within(signal))),

  setAutomation: (state: 'running' | 'paused', reason: string, untilMs?: number) =>
    ask(
      http.PUT('/api/v1/automation', {
        body: { state, reason, ...(untilMs === undefined ? {} : { until: untilMs }) },
      }),
      true,
    ),
  setFeature: (feature: Feature, change: FeatureWish) =>
    ask(
      http.PUT('/api/v1/features/{feature}', {
        params: { path: { feature } },
        body: {
          level: change.level,
          state: change.state,
          reason: change.reason,
          ...(change.target === null ? {} : { target: change.target }),
          ...(change.expiresAtMs === null ? {} : { expiresAt: change.expiresAtMs }),
        },
      }),
      true,
    ),

  pauseOperation: (operationId: string, reason: string) =>
    ask(
      http.POST('/api/v1/operations/{operationId}/pause', {
        params: { path: { operationId }, header: once() },
        body: { reason },
      }),
      true,
    ),
  resumeOperation: (operationId: string, reason: string) =>
    ask(
      http.POST('/api/v1/operations/{operationId}/resume', {
        params: { path: { operationId }, header: once() },
        body: { reason },
      }),
      true,
    ),
  cancelOperation: (operationId: string, reason: string, holdSecs: number) =>
    ask(
      http.POST('/api/v1/operations/{operationId}/cancel', {
        params: { path: { operationId }, header: once() },
        body: { reason, holdSecs },
      }),
      true,
    ),
  setSpeed: (operationId: string, speedPercent: number, reason: string) =>
    ask(
      http.POST('/api/v1/operations/{operationId}/speed', {
        params: { path: { operationId }, header: once() },
        body: { speedPercent, reason },
      }),
      true,
    ),

  planEvacuation: async (host: string): Promise<EvacuationPlan> => {
    const body = { dryRun: true, reason: 'plan shown in the UI' };
    const path = '/api/v1/backends/{host}/evacuate' as const;
    const answer = await ask(http.POST(path, { params: { path: { host }, header: once() }, body }));
    if ('planToken' in answer) return answer;
    throw new ApiFailure('The server started an Operation where a plan was asked for.', {
      status: 202,
      isChange: true,
    });
  },
  evacuate: async (host: string, wanted: WantedMoves): Promise<Operation> => {
    const body = { ...wanted, dryRun: false };
    const path = '/api/v1/backends/{host}/evacuate' as const;
    const params = { path: { host }, header: once() };
    const answer = await ask(http.POST(path, { params, body }), true);
    if ('operationId' in answer) return answer;
    throw new ApiFailure('The server gave a plan where an Operation was asked for.', {
      status: 200,
      isChange: true,
    });
  },

  planBatchMove: async (host: string, percentage: number): Promise<MovePlan> => {
    const body = {
      percentage,
      destHosts: [],
      destSites: [],
      dryRun: true,
      reason: 'plan shown in the UI',
    };
    const path = '/api/v1/backends/{host}/batch-move' as const;
    const answer = await ask(http.POST(path, { params: { path: { host }, header: once() }, body }));
    if ('planToken' in answer) return answer;
    throw new ApiFailure('The server started an Operation where a plan was asked for.', {
      status: 202,
      isChange: true,
    });
  },
  batchMove: async (
    host: string,
    wanted: WantedMoves & { readonly percentage: number },
  ): Promise<MovesStarted> => {
    const body = { ...wanted, destHosts: [], destSites: [], dryRun: false };
    const path = '/api/v1/backends/{host}/batch-move' as const;
    const params = { path: { host }, header: once() };
    const answer = await ask(http.POST(path, { params, body }), true);
    if ('operations' in answer) return answer;
    throw new ApiFailure('The server gave a plan where an Operation was asked for.', {
      status: 200,
      isChange: true,
    });
  },
  moveUser: (username: string, destHost: string, reason: string): Promise<MovesStarted> =>
    ask(
      http.POST('/api/v1/users/{username}/move', {
        params: { path: { username }, header: once() },
        body: { destHost, reason },
      }),
      true,
    ),
  releaseHold: (host: string, reason: string) =>
    ask(
      http.POST('/api/v1/backends/{host}/release-hold', {
        params: { path: { host } },
        body: { reason },
      }),
      true,
    ),

  runTask: (task: TaskName, reason: string) =>
    ask(
      http.POST('/api/v1/tasks/{task}/run', {
        params: { path: { task }, header: once() },
        body: { reason },
      }),
      true,
    ),
  pauseTask: (task: TaskName, reason: string) =>
    ask(
      http.POST('/api/v1/tasks/{task}/pause', {
        params: { path: { task }, header: once() },
        body: { reason },
      }),
      true,
    ),
  resumeTask: (task: TaskName, reason: string) =>
    ask(
      http.POST('/api/v1/tasks/{task}/resume', {
        params: { path: { task }, header: once() },
        body: { reason },
      }),
      true,
    ),
};

export interface FeatureWish {
  readonly level: FeatureLevel;
  /** Site name or Backend host; null for the global level. */
  readonly target: string | null;
  /** Null: inherit. */
  readonly state: FeatureState | null;
  readonly reason: string;
  readonly expiresAtMs: number | null;
}
