/** Starts moves of a share of users, or of named ones: one request a source, busy sources are reported. */
import type { MoveRequest } from '../workflows/contract.ts';
import type { Backend } from '../workflows/domain/backend.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import { backendsOf, findBackend, findSite, type Cluster } from './cluster-view.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError, fieldError } from './errors.ts';
import { presentOperation } from './operation-view.ts';
import { newRequest, requestOperation, type Asked } from './operations.ts';
import { planEvacuation, requireSamePlan, type PlannedPart } from './plan-evacuation.ts';
import type { MovePlan, MoveShareBody, MovesStarted } from './schemas/moves.ts';
import type { ApiState } from './state.ts';

export type ShareKind = 'batchMove' | 'forceMove';

/** Throws ApiError BackendUnknown, SiteUnknown, or 422 where the destinations are no destinations. */
export function partOf(
  cluster: Cluster,
  kind: ShareKind,
  { percentage, destHosts, destSites }: MoveShareBody,
): PlannedPart {
  const hosts = destHosts.map((host) => findBackend(cluster, host));
  const sites = destSites.map((name) => findSite(cluster.sites, name));
  const all = [...hosts, ...sites.flatMap((site) => backendsOf(cluster, site))];
  if (destSites.length > 0 && all.length === 0) {
    throw fieldError('destSites', 'these sites have no Backend');
  }
  const targetIds = [...new Set(all.map(({ id }) => id))];
  return { percentage, targetIds, isAtOnce: kind === 'forceMove' };
}

/** Sources without users have nothing to plan. Rejects with GatewayError{cassandra}. */
export async function planMoves(
  state: ApiState,
  cluster: Cluster,
  sources: readonly Backend[],
  part: PlannedPart,
): Promise<MovePlan> {
  const all = await Promise.all(
    sources.map((source) => planEvacuation(state, cluster, source, part)),
  );
  const plans = all.filter(({ users }) => users > 0);
  return {
    planToken: plans.map(({ planToken }) => planToken).join('.'),
    users: plans.reduce((sum, { users }) => sum + users, 0),
    sources: plans,
  };
}

/** Throws ApiError PlanOutdated with the difference. */
export function requireSamePlans(planToken: string, plan: MovePlan): void {
  const tokens = planToken.split('.');
  if (tokens.length !== plan.sources.length) {
    const text = `there were ${tokens.length} sources, now there are ${plan.sources.length}`;
    throw new ApiError('PlanOutdated', 'the world moved on: plan again', {
      details: [{ field: 'sources', message: text }],
    });
  }
  for (const [index, source] of plan.sources.entries())
    requireSamePlan(tokens[index] ?? '', source);
}

/** Throws ApiError NoTarget or NoUsers where nothing can move, OperationRunning where all sources are busy. */
export async function startShare(
  dependencies: Dependencies,
  cluster: Cluster,
  plan: MovePlan,
  wanted: { readonly kind: ShareKind; readonly part: PlannedPart; readonly asked: Asked },
): Promise<MovesStarted> {
  const { kind, part, asked } = wanted;
  const { policy } = dependencies.config;
  const movable = plan.sources.filter(({ targets }) => targets.length > 0);
  if (movable.length === 0) {
    const refused = plan.sources[0]?.refused ?? [];
    const why = refused.map(({ host, reason }) => `${host}: ${reason}`).join(', ');
    const text = plan.sources.length === 0 ? 'no user lives there' : `no target (${why})`;
    throw new ApiError('NoTarget', text);
  }
  const starts = movable.map(({ host, users }) => {
    const source = findBackend(cluster, host);
    const request: MoveRequest = {
      ...newRequest(dependencies, source, asked),
      kind,
      targetIds: part.targetIds,
      maxUsers: users,
      stepRatio: part.isAtOnce ? 1 : policy.evacuateStepRatio,
      minLastMovedSecs: part.isAtOnce ? null : policy.failureCoolTimeSecs,
      isForced: part.isAtOnce,
    };
    return { source, users, request };
  });
  return startAll(dependencies, cluster, starts);
}

/** Named users: listed in the store first, so that no request and no history names them. */
export async function startNamed(
  dependencies: Dependencies,
  cluster: Cluster,
  wanted: { readonly users: readonly string[]; readonly target: Backend; readonly asked: Asked },
): Promise<MovesStarted> {
  const { geodb, store } = dependencies;
  const { target, asked } = wanted;
  const homes = await geodb.readUsers([...new Set(wanted.users)]);
  const notMoved: { username: string; reason: MovesStarted['notMoved'][number]['reason'] }[] = [];
  const bySource = new Map<string, string[]>();
  for (const username of new Set(wanted.users)) {
    const home = homes.get(username);
    const source = cluster.backends.find(({ id }) => id === home?.backendId);
    if (home === undefined) notMoved.push({ username, reason: 'UserUnknown' });
    else if (source?.siteId !== cluster.home.id) notMoved.push({ username, reason: 'NotHomeSite' });
    else if (source.id === target.id) notMoved.push({ username, reason: 'AlreadyOnTarget' });
    else bySource.set(source.id, [...(bySource.get(source.id) ?? []), username]);
  }
  const starts = [...bySource].flatMap(([sourceId, usernames]) => {
    const source = cluster.backends.find(({ id }) => id === sourceId);
    if (source === undefined) return [];
    const request = newRequest(dependencies, source, asked);
    const users = usernames.map((username) => ({ username, targetId: target.id }));
    return [{ source, users, request }];
  });
  await Promise.all(
    starts.map(({ users, request }) => store.saveSelectedUsers(request.operationId, users)),
  );
  const started = await startAll(
    dependencies,
    cluster,
    starts.map(({ source, users, request }) => ({
      source,
      users: users.length,
      request: {
        ...request,
        kind: 'batchMove',
        targetIds: [target.id],
        maxUsers: users.length,
        stepRatio: 1,
        selectionId: request.operationId,
      },
    })),
  );
  return { ...started, notMoved };
}

interface Start {
  readonly source: Backend;
  readonly users: number;
  readonly request: MoveRequest;
}

/** A busy source holds up nobody else; where all are busy, that is the answer. */
async function startAll(
  dependencies: Dependencies,
  cluster: Cluster,
  starts: readonly Start[],
): Promise<MovesStarted> {
  const busy: { host: string; operationId: string | null; error: ApiError }[] = [];
  const operations: Operation[] = [];
  for (const { source, users, request } of starts) {
    try {
      operations.push(await requestOperation(dependencies, source, users, request));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'OperationRunning') throw error;
      const { operationId = null } = error.extras;
      busy.push({ host: source.host, operationId, error });
    }
  }
  const [first] = busy;
  if (operations.length === 0 && first !== undefined) throw first.error;
  return {
    operations: operations.map((operation) => presentOperation(cluster, operation)),
    busy: busy.map(({ host, operationId }) => ({ host, operationId })),
    notMoved: [],
  };
}
