/** Moves on an operator's request: a share of a Backend or of the site, and named users. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import {
  backendsOf,
  findBackend,
  findHomeBackend,
  findSite,
  readCluster,
} from '../cluster-view.ts';
import { startedDetail } from '../operations.ts';
import { requireOwner } from '../ownership.ts';
import { ApiError } from '../errors.ts';
import { idempotent, IdempotencyHeader } from '../idempotency.ts';
import { liveEvent } from '../live-event.ts';
import {
  access,
  changeProblems,
  createRouter,
  identityOf,
  jsonAnswer,
  jsonBody,
  problems,
  type ApiEnv,
} from '../router.ts';
import {
  MovePlan,
  MoveShareBody,
  MovesStarted,
  MoveUserBody,
  MoveUsersBody,
} from '../schemas/moves.ts';
import {
  partOf,
  planMoves,
  requireSamePlans,
  startNamed,
  startShare,
  type ShareKind,
} from '../start-moves.ts';
import type { Backend } from '../../workflows/domain/backend.ts';
import type { Cluster } from '../cluster-view.ts';
import { HostParams } from './backends.ts';

export const moveUsersRoutes = createRouter();

const shareAnswers = {
  200: jsonAnswer(MovePlan, 'The plan (dryRun)'),
  202: jsonAnswer(MovesStarted, 'Accepted: watch the operations'),
  ...changeProblems(),
  ...problems(404, 409),
};
const shareBody = jsonBody(MoveShareBody);

const batchMoveBackend = createRoute({
  operationId: 'batchMoveBackend',
  tags: ['backends', 'operations'],
  summary: 'Batch move: a share of the users of a Backend, in rounds; with dryRun only the plan',
  method: 'post',
  path: '/backends/{host}/batch-move',
  ...access({ role: 'operator', action: 'backend.batchMove', middleware: [idempotent] }),
  request: { params: HostParams, headers: IdempotencyHeader, body: shareBody },
  responses: shareAnswers,
});

moveUsersRoutes.openapi(batchMoveBackend, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  const source = findHomeBackend(cluster, c.req.valid('param').host);
  const answer = await moveShare(c, cluster, [source], 'batchMove', c.req.valid('json'));
  return answer.plan === null ? c.json(answer.started, 202) : c.json(answer.plan, 200);
});

const forceMoveBackend = createRoute({
  operationId: 'forceMoveBackend',
  tags: ['backends', 'operations'],
  summary: 'Force move: a share of the users of a Backend at once, without asking it',
  method: 'post',
  path: '/backends/{host}/force-move',
  ...access({ role: 'operator', action: 'backend.forceMove', middleware: [idempotent] }),
  request: { params: HostParams, headers: IdempotencyHeader, body: shareBody },
  responses: shareAnswers,
});

moveUsersRoutes.openapi(forceMoveBackend, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  const source = findHomeBackend(cluster, c.req.valid('param').host);
  const answer = await moveShare(c, cluster, [source], 'forceMove', c.req.valid('json'));
  return answer.plan === null ? c.json(answer.started, 202) : c.json(answer.plan, 200);
});

const SiteParams = z.object({ site: z.string().min(1).max(255) });

const batchMoveSite = createRoute({
  operationId: 'batchMoveSite',
  tags: ['sites', 'operations'],
  summary:
    'Batch move: a share of the users of the home site to other Backends or sites, in rounds',
  method: 'post',
  path: '/sites/{site}/batch-move',
  ...access({ role: 'operator', action: 'site.batchMove', middleware: [idempotent] }),
  request: { params: SiteParams, headers: IdempotencyHeader, body: shareBody },
  responses: shareAnswers,
});

moveUsersRoutes.openapi(batchMoveSite, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  const sources = sourcesOfSite(cluster, c.req.valid('param').site, c.req.valid('json'));
  const answer = await moveShare(c, cluster, sources, 'batchMove', c.req.valid('json'));
  return answer.plan === null ? c.json(answer.started, 202) : c.json(answer.plan, 200);
});

const forceMoveSite = createRoute({
  operationId: 'forceMoveSite',
  tags: ['sites', 'operations'],
  summary: 'Force move: a share of the users of the home site to other Backends or sites, at once',
  method: 'post',
  path: '/sites/{site}/force-move',
  ...access({ role: 'operator', action: 'site.forceMove', middleware: [idempotent] }),
  request: { params: SiteParams, headers: IdempotencyHeader, body: shareBody },
  responses: shareAnswers,
});

moveUsersRoutes.openapi(forceMoveSite, async (c) => {
  const cluster = await readCluster(c.get('api').dependencies);
  const sources = sourcesOfSite(cluster, c.req.valid('param').site, c.req.valid('json'));
  const answer = await moveShare(c, cluster, sources, 'forceMove', c.req.valid('json'));
  return answer.plan === null ? c.json(answer.started, 202) : c.json(answer.plan, 200);
});

const namedAnswers = {
  202: jsonAnswer(MovesStarted, 'Accepted: watch the operations'),
  ...changeProblems(),
  ...problems(404, 409),
};

const moveUser = createRoute({
  operationId: 'moveUser',
  tags: ['users', 'operations'],
  summary: 'Move one user',
  method: 'post',
  path: '/users/{username}/move',
  ...access({ role: 'operator', action: 'user.move', middleware: [idempotent] }),
  request: {
    params: z.object({ username: z.string().min(1).max(320) }),
    headers: IdempotencyHeader,
    body: jsonBody(MoveUserBody),
  },
  responses: namedAnswers,
});

moveUsersRoutes.openapi(moveUser, async (c) => {
  const { username } = c.req.valid('param');
  const { destHost, reason } = c.req.valid('json');
  const started = await moveNamed(c, { users: [username], destHost, reason });
  const why = started.notMoved[0]?.reason;
  if (why === 'UserUnknown') throw new ApiError('UserUnknown', `there is no user ${username}`);
  if (why === 'NotHomeSite') {
    throw new ApiError('NotHomeSite', `${username} lives in another site: ask its controller`);
  }
  return c.json(started, 202);
});

const moveUsers = createRoute({
  operationId: 'moveUsers',
  tags: ['users', 'operations'],
  summary: 'Move named users, one operation for each Backend that they live on',
  method: 'post',
  path: '/users/move',
  ...access({ role: 'operator', action: 'user.move', middleware: [idempotent] }),
  request: { headers: IdempotencyHeader, body: jsonBody(MoveUsersBody) },
  responses: namedAnswers,
});

moveUsersRoutes.openapi(moveUsers, async (c) =>
  c.json(await moveNamed(c, c.req.valid('json')), 202),
);

/** The Backends of the home site, but for those that the users are to go to. */
function sourcesOfSite(cluster: Cluster, name: string, body: MoveShareBody): Backend[] {
  const site = findSite(cluster.sites, name);
  if (site.id !== cluster.home.id) {
    throw new ApiError('NotHomeSite', `${site.name} has a controller of its own: ask that`);
  }
  const isTarget = ({ host }: Backend): boolean => body.destHosts.includes(host);
  return backendsOf(cluster, site).filter((backend) => !isTarget(backend));
}

async function moveShare(
  c: Context<ApiEnv>,
  cluster: Cluster,
  sources: readonly Backend[],
  kind: ShareKind,
  body: MoveShareBody,
): Promise<{ readonly plan: MovePlan } | { readonly plan: null; readonly started: MovesStarted }> {
  const state = c.get('api');
  const part = partOf(cluster, kind, body);
  const plan = await planMoves(state, cluster, sources, part);
  if (body.dryRun) {
    c.set('auditDetail', 'dryRun');
    return { plan };
  }
  const epoch = await requireOwner(state);
  if (body.plan !== undefined) requireSamePlans(body.plan, plan);
  const { reason, speedPercent } = body;
  const asked = { actor: identityOf(c).actor, reason, epoch, speedPercent };
  const started = await startShare(state.dependencies, cluster, plan, { kind, part, asked });
  await tellStarted(c, started);
  return { plan: null, started };
}

async function moveNamed(
  c: Context<ApiEnv>,
  wanted: { readonly users: readonly string[]; readonly destHost: string; readonly reason: string },
): Promise<MovesStarted> {
  const state = c.get('api');
  const cluster = await readCluster(state.dependencies);
  const target = findBackend(cluster, wanted.destHost);
  const epoch = await requireOwner(state);
  const asked = { actor: identityOf(c).actor, reason: wanted.reason, epoch };
  const { users } = wanted;
  const started = await startNamed(state.dependencies, cluster, { users, target, asked });
  await tellStarted(c, started);
  return started;
}

async function tellStarted(c: Context<ApiEnv>, { operations }: MovesStarted): Promise<void> {
  const { dependencies } = c.get('api');
  c.set('auditDetail', startedDetail(operations));
  await dependencies.cache.publish(liveEvent(dependencies, 'operations'));
}
