/** What a mover may do: plan a round, move a chunk, look at the source and its possible targets. */
import type { AutomationState } from '../workflows/domain/cluster-snapshot.ts';
import type { BackendStatus } from '../workflows/domain/backend.ts';
import type { Feature, FeatureState } from '../workflows/domain/feature-flag.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { PolicySettings } from '../workflows/domain/policy-settings.ts';
import { resolveFeatures } from '../workflows/policy/resolve-feature.ts';
import type { TargetCandidate } from '../workflows/policy/select-targets.ts';
import type { ActivityContext } from './context.ts';
import { withHeartbeat } from './heartbeat.ts';
import { readKnownBackend } from './known-backend.ts';
import { moveChunk, type MoveChunkInput, type MovedChunk } from './move-chunk.ts';
import { planRound, type PlannedRound, type PlanRoundInput } from './plan-round.ts';
import { probeBackends } from './probe-backends.ts';
import { readHomeSite } from './read-cluster.ts';
import { readSwitches } from './read-flags.ts';
import { createFindSilence } from './source-silence.ts';
import { countUsersOf } from './user-counts.ts';

/** Everything that a mover reads again before each round. */
export interface MoveSituation {
  readonly sourceStatus: BackendStatus | null;
  readonly sourceUsers: number;
  readonly automation: AutomationState;
  /** Effective at the source. */
  readonly features: Readonly<Record<Feature, FeatureState>>;
  readonly settings: PolicySettings;
  readonly candidates: readonly TargetCandidate[];
}

export interface MoveUsersActivities {
  readMoveSituation(input: { sourceId: string }): Promise<MoveSituation>;
  planRound(input: PlanRoundInput): Promise<PlannedRound>;
  moveChunk(input: MoveChunkInput): Promise<MovedChunk>;
  /** Fresh count at LOCAL_QUORUM. A Backend that the GeoDB does not know is a permanent refusal. */
  countUsers(input: { backendId: string }): Promise<number>;
  saveOperation(operation: Operation): Promise<void>;
}

export function createMoveUsers(context: ActivityContext): MoveUsersActivities {
  const findSilence = createFindSilence(context);
  return {
    readMoveSituation: ({ sourceId }) => withHeartbeat(() => readSituation(context, sourceId)),
    planRound: (input) => withHeartbeat(() => planRound(context, input)),
    moveChunk: (input) => moveChunk(context, input, findSilence),
    countUsers: ({ backendId }) => countUsers(context, backendId),
    async saveOperation(operation) {
      await context.store.saveOperation(operation);
      const { siteName } = operation;
      await context.cache.publish({ siteName, topic: 'operations', atMs: Date.now() });
    },
  };
}

async function countUsers(context: ActivityContext, backendId: string): Promise<number> {
  await readKnownBackend(context, backendId);
  return context.geodb.countUsers(backendId);
}

async function readSituation(context: ActivityContext, sourceId: string): Promise<MoveSituation> {
  const nowMs = Date.now();
  const { config, store } = context;
  const site = await readHomeSite(context);
  const [backends, switches, memories, chunks, operations] = await Promise.all([
    context.geodb.readBackends(site.id),
    readSwitches(context, nowMs),
    store.readBackendMemories(config.site),
    store.readChunksInFlight(config.site),
    store.listOpenOperations(config.site),
  ]);
  const [userCounts, sourceUsers, reachable] = await Promise.all([
    countUsersOf(context, backends),
    context.geodb.countUsers(sourceId),
    probeBackends(
      context,
      backends.filter(({ id }) => id !== sourceId),
    ),
  ]);
  const candidates = backends.map((backend): TargetCandidate => {
    const inflow = chunks.filter((chunk) => chunk.targetId === backend.id);
    const isEmptying = operations.some(
      ({ sourceId: from, kind }) =>
        from === backend.id && (kind === 'evacuation' || kind === 'drain'),
    );
    return {
      backendId: backend.id,
      host: backend.host,
      status: backend.status,
      loadFactor: backend.loadFactor,
      verdict: memories.find((each) => each.backendId === backend.id)?.verdict ?? 'unknown',
      isDoveadmReachable: reachable.has(backend.host),
      isBeingEmptied: isEmptying,
      userCount: userCounts.get(backend.id) ?? 0,
      inflow: inflow.reduce((sum, chunk) => sum + chunk.remaining, 0),
    };
  });
  return {
    sourceStatus: backends.find((each) => each.id === sourceId)?.status ?? null,
    sourceUsers,
    automation: switches.automation,
    features: resolveFeatures(switches.flags, { siteId: site.id, backendId: sourceId, nowMs }),
    settings: config.policy,
    candidates,
  };
}
