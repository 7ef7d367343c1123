/** What an evacuation would do, before anybody asks for it. */
import type { Backend } from '../workflows/domain/backend.ts';
import { outranks } from '../workflows/domain/operation.ts';
import { roundSize } from '../workflows/policy/plan-evacuation.ts';
import { selectTargets, type TargetCandidate } from '../workflows/policy/select-targets.ts';
import { readSiteFacts, type SiteFacts } from './backend-view.ts';
import type { Cluster } from './cluster-view.ts';
import { ApiError, fieldError } from './errors.ts';
import type { EvacuationPlan } from './schemas/operation.ts';
import type { ViewState } from './state.ts';

/** A plan that differs by more is not the one that was agreed to. */
const MAX_DIFFERENCE = 0.05;
/** Above it the latest count will do: reading them all takes seconds. */
const EXACT_USERS = 1_000;

/** What is to be moved, where to. */
export interface PlannedPart {
  /** Of the users that live there, 1 to 100. */
  readonly percentage: number;
  /** Empty: chosen by the policy, in the home site. */
  readonly targetIds: readonly string[];
  /** In one round. */
  readonly isAtOnce: boolean;
}

const WHOLE: PlannedPart = { percentage: 100, targetIds: [], isAtOnce: false };

/**
 * Users as counted at this moment, large numbers a moment ago; whether the doveadm of a target answers as last looked at: the mover asks again.
 * Rejects with GatewayError{cassandra}.
 */
export async function planEvacuation(
  state: ViewState,
  cluster: Cluster,
  source: Backend,
  part: PlannedPart = WHOLE,
): Promise<EvacuationPlan> {
  const { geodb, config, now } = state.dependencies;
  const stepRatio = part.isAtOnce ? 1 : config.policy.evacuateStepRatio;
  const [facts, first, remote] = await Promise.all([
    readSiteFacts(state, cluster, cluster.home),
    geodb.pageUsers(source.id, { limit: EXACT_USERS, cursor: null }),
    readRemoteCandidates(state, cluster, part.targetIds),
  ]);
  const present =
    first.cursor === null
      ? first.users.length
      : Math.max(
          EXACT_USERS,
          facts.counts.get(source.id)?.users ?? (await geodb.countUsers(source.id)),
        );
  const users = Math.ceil((present * part.percentage) / 100);
  const own = facts.backends.map((backend) => candidateOf(facts, backend));
  const candidates = [...own, ...remote];
  const wish = { sourceId: source.id, targetIds: part.targetIds, users };
  const { quotas, refused } = selectTargets(candidates, wish);
  const targets = quotas.map((quota) => ({
    ...quota,
    usersBefore:
      facts.counts.get(quota.backendId)?.users ??
      remote.find(({ backendId }) => backendId === quota.backendId)?.userCount ??
      null,
  }));
  return {
    planToken: writePlanToken({ host: source.host, users, targets }),
    host: source.host,
    plannedAtMs: now(),
    users,
    usersPerRound: users === 0 ? 0 : roundSize(users, stepRatio, users),
    targets,
    refused: refused.map(({ host, refusal }) => ({
      backendId: candidates.find((candidate) => candidate.host === host)?.backendId ?? '',
      host,
      reason: refusal,
    })),
    inTheWay: whatIsInTheWay(facts, source),
  };
}

/** Throws ApiError PlanOutdated with the difference, or 422 where it is no plan of this Backend. */
export function requireSamePlan(planToken: string, plan: EvacuationPlan): void {
  const agreed = readPlanToken(planToken);
  if (agreed === null || agreed.host !== plan.host) {
    throw fieldError('plan', `not a plan for ${plan.host}`);
  }
  const now = new Map(plan.targets.map(({ host, users }) => [host, users]));
  const hosts = [...new Set([...agreed.targets.keys(), ...now.keys()])];
  const limit = MAX_DIFFERENCE * Math.max(agreed.users, plan.users);
  const changes = [
    { field: 'users', was: agreed.users, is: plan.users },
    ...hosts.map((host) => ({
      field: `targets.${host}`,
      was: agreed.targets.get(host) ?? 0,
      is: now.get(host) ?? 0,
    })),
  ].filter(({ was, is }) => Math.abs(was - is) > limit);
  if (changes.length > 0) {
    throw new ApiError('PlanOutdated', 'the world moved on by more than 5 %: plan again', {
      details: changes.map(({ field, was, is }) => ({
        field,
        message: `was ${was}, is now ${is}`,
      })),
    });
  }
}

function candidateOf(facts: SiteFacts, backend: Backend): TargetCandidate {
  const inflow = facts.operations
    .filter((operation) => operation.targetIds.length === 1)
    .filter((operation) => operation.targetIds[0] === backend.id)
    .reduce((sum, operation) => sum + operation.counts.remaining, 0);
  return {
    backendId: backend.id,
    host: backend.host,
    status: backend.status,
    loadFactor: backend.loadFactor,
    verdict: facts.memories.get(backend.id)?.verdict ?? 'unknown',
    isDoveadmReachable: facts.reachability.get(backend.id)?.isReachable ?? true,
    isBeingEmptied: facts.operations.some(
      ({ sourceId, kind }) =>
        sourceId === backend.id && (kind === 'evacuation' || kind === 'drain'),
    ),
    userCount: facts.counts.get(backend.id)?.users ?? 0,
    inflow,
  };
}

/** Backends of other sites that are asked for: what the GeoDB says of them is all that is known here. */
async function readRemoteCandidates(
  { dependencies: { geodb } }: ViewState,
  cluster: Cluster,
  targetIds: readonly string[],
): Promise<TargetCandidate[]> {
  const remote = cluster.backends.filter(
    ({ id, siteId }) => siteId !== cluster.home.id && targetIds.includes(id),
  );
  const candidates = remote.map(async (backend): Promise<TargetCandidate> => {
    const site = cluster.sites.find(({ id }) => id === backend.siteId);
    return {
      backendId: backend.id,
      host: backend.host,
      status: site?.status === 'online' ? backend.status : 'offline',
      loadFactor: backend.loadFactor,
      verdict: 'unknown',
      isDoveadmReachable: true,
      isBeingEmptied: false,
      userCount: await geodb.countUsers(backend.id),
      inflow: 0,
    };
  });
  return Promise.all(candidates);
}

function whatIsInTheWay(facts: SiteFacts, source: Backend): EvacuationPlan['inTheWay'] {
  const running = facts.operations.find(({ sourceId }) => sourceId === source.id);
  if (running === undefined) return null;
  return {
    operationId: running.operationId,
    willBeSuperseded: outranks('operator', running.cause),
  };
}

interface AgreedPlan {
  readonly host: string;
  readonly users: number;
  readonly targets: ReadonlyMap<string, number>;
}

function writePlanToken(plan: Pick<EvacuationPlan, 'host' | 'users' | 'targets'>): string {
  const targets = plan.targets.map(({ host, users }) => [host, users]);
  return Buffer.from(JSON.stringify([plan.host, plan.users, targets])).toString('base64url');
}

/** null: not a plan token. It holds no secret and grants nothing: it is only compared. */
function readPlanToken(token: string): AgreedPlan | null {
  try {
    const [host, users, targets] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [
      unknown,
      unknown,
      [string, number][],
    ];
    if (typeof host !== 'string' || typeof users !== 'number') return null;
    return { host, users, targets: new Map(targets) };
  } catch {
    // Whatever is not a token of ours is refused as one.
    return null;
  }
}
