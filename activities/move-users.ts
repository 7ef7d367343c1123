/** What a mover may do: plan a round, move a chunk, look at the source and its possible targets. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { AutomationState } from '../workflows/domain/cluster-snapshot.ts';
import type { BackendStatus } from '../workflows/domain/backend.ts';
import type { Feature, FeatureState } from '../workflows/domain/feature-flag.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { PolicySettings } from '../workflows/domain/policy-settings.ts';
import type { ChunkInFlight } from '../workflows/domain/user-move.ts';
import { resolveFeatures } from '../workflows/policy/resolve-feature.ts';
import type { TargetCandidate } from '../workflows/policy/select-targets.ts';
import { inflowOfOthers } from './claim-room.ts';
import type { ActivityContext, SharedLooks } from './context.ts';
import { withHeartbeat } from './heartbeat.ts';
import { readKnownBackend } from './known-backend.ts';
import { moveChunk, type MoveChunkInput, type MovedChunk } from './move-chunk.ts';
import { moveCounted } from './move-counted.ts';
import { planCounted } from './plan-counted.ts';
import { planRound, type PlannedRound, type PlanRoundInput } from './plan-round.ts';
import { planSelected } from './plan-selected.ts';
import { readHomeSite } from './read-cluster.ts';
import { readSwitches } from './read-flags.ts';
import { assertOwnsSite, type DecidedUnder } from './site-owner.ts';
import { createFindSilence } from './source-silence.ts';

const DOVEADM_TIMEOUT_MS = 1_500;
const COMMANDS_MAX_AGE_MS = 30_000;

/** Everything that a mover reads again before each round. */
export interface MoveSituation {
  readonly sourceStatus: BackendStatus | null;
  readonly sourceUsers: number;
  readonly automation: AutomationState;
  /** Effective at the source. */
  readonly features: Readonly<Record<Feature, FeatureState>>;
  readonly settings: PolicySettings;
  readonly candidates: readonly TargetCandidate[];
  /** Users whom other movers are sending right now, by target. */
  readonly inflowOfOthers: Readonly<Record<string, number>>;
  /** False: its batch move takes no list of users, only how many. Absent in the answers of older workers. */
  readonly takesUserList?: boolean;
}

export interface SituationInput {
  readonly sourceId: string;
  /** Users by Backend id, where the mover knows them; absent or null: counted. */
  readonly knownUsers?: Readonly<Record<string, number>> | null;
  /** Of other sites only the Backends that are asked for are possible targets. */
  readonly targetIds?: readonly string[];
}

export interface MoveUsersActivities {
  readMoveSituation(input: SituationInput): Promise<MoveSituation>;
  planRound(input: PlanRoundInput): Promise<PlannedRound>;
  moveChunk(input: MoveChunkInput): Promise<MovedChunk>;
  /** As in the situation, read afresh. */
  readInflowOfOthers(input: { sourceId: string }): Promise<Readonly<Record<string, number>>>;
  /** As `UserCounts.countOne`. A Backend that the GeoDB does not know is a permanent refusal. */
  countUsers(input: { backendId: string }): Promise<number>;
  /** Only a mover of the site's owner writes the row. */
  saveOperation(operation: Operation, decided?: DecidedUnder): Promise<void>;
}

export function createMoveUsers(context: ActivityContext, looks: SharedLooks): MoveUsersActivities {
  const findSilence = createFindSilence(context);
  return {
    readMoveSituation: (input) => withHeartbeat(() => readSituation(context, looks, input)),
    planRound: (input) =>
      withHeartbeat(() => {
        const { selectionId } = input;
        if (selectionId !== undefined) return planSelected(context, { ...input, selectionId });
        return input.isCounted === true ? planCounted(context, input) : planRound(context, input);
      }),
    moveChunk: (input) => {
      const { counted } = input;
      if (counted === undefined) return moveChunk(context, input, findSilence);
      return moveCounted(context, { ...input, counted }, findSilence);
    },
    readInflowOfOthers: ({ sourceId }) =>
      withHeartbeat(async () =>
        inflowOfOthers(await context.store.readChunksInFlight(context.config.site), sourceId),
      ),
    countUsers: ({ backendId }) => withHeartbeat(() => countUsers(context, looks, backendId)),
    saveOperation: (operation, decided) =>
      withHeartbeat(async () => {
        await assertOwnsSite(context, decided);
        await context.store.saveOperation(operation);
        const { siteName } = operation;
        await context.cache.publish({ siteName, topic: 'operations', atMs: Date.now() });
      }),
  };
}

async function countUsers(
  context: ActivityContext,
  { userCounts }: SharedLooks,
  backendId: string,
): Promise<number> {
  await readKnownBackend(context, backendId);
  return userCounts.countOne(backendId);
}

async function readSituation(
  context: ActivityContext,
  looks: SharedLooks,
  { sourceId, knownUsers = null, targetIds = [] }: SituationInput,
): Promise<MoveSituation> {
  const nowMs = Date.now();
  const { config, store } = context;
  const site = await readHomeSite(context);
  const [backends, switches, memories, notes, operations] = await Promise.all([
    context.geodb.readBackends(site.id),
    readSwitches(context, nowMs),
    store.readBackendMemories(config.site),
    store.readChunksInFlight(config.site),
    store.listOpenOperations(config.site),
  ]);
  const others = backends.filter(({ id }) => id !== sourceId);
  const known = knownUsers === null ? null : new Map(Object.entries(knownUsers));
  const [userCounts, sourceUsers, reachable] = await Promise.all([
    known ?? looks.userCounts.read(backends, operations),
    known?.get(sourceId) ?? looks.userCounts.countOne(sourceId),
    looks.findReachable(others),
  ]);
  // A mover that gave up leaves its notes behind; whoever is not on the way is no load.
  const chunks = notes.filter((note) =>
    operations.some(({ operationId }) => operationId === note.operationId),
  );
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
    candidates: [...candidates, ...(await readRemoteTargets(context, site.id, targetIds, chunks))],
    inflowOfOthers: inflowOfOthers(chunks, sourceId),
    takesUserList: await takesUserList(context, backends.find(({ id }) => id === sourceId)?.host),
  };
}

/**
 * Backends of other sites, as far as the GeoDB tells: how healthy they are, and whether their doveadm
 * answers, is known to their own controller alone.
 */
async function readRemoteTargets(
  { geodb }: ActivityContext,
  homeSiteId: string,
  targetIds: readonly string[],
  chunks: readonly ChunkInFlight[],
): Promise<TargetCandidate[]> {
  if (targetIds.length === 0) return [];
  const [all, sites] = await Promise.all([geodb.readBackends(), geodb.readSites()]);
  const remote = all.filter(({ id, siteId }) => siteId !== homeSiteId && targetIds.includes(id));
  const candidates = remote.map(async (backend): Promise<TargetCandidate> => {
    const isSiteOnline = sites.find(({ id }) => id === backend.siteId)?.status === 'online';
    const inflow = chunks.filter((chunk) => chunk.targetId === backend.id);
    return {
      backendId: backend.id,
      host: backend.host,
      status: isSiteOnline ? backend.status : 'offline',
      loadFactor: backend.loadFactor,
      verdict: 'unknown',
      isDoveadmReachable: true,
      isBeingEmptied: false,
      userCount: await geodb.countUsers(backend.id),
      inflow: inflow.reduce((sum, chunk) => sum + chunk.remaining, 0),
    };
  });
  return Promise.all(candidates);
}

/** Where nobody says otherwise it does: a silent source is not asked at all. */
async function takesUserList(
  { doveadm, logger }: ActivityContext,
  sourceHost: string | undefined,
): Promise<boolean> {
  if (sourceHost === undefined) return true;
  const options = { timeoutMs: DOVEADM_TIMEOUT_MS, maxAgeMs: COMMANDS_MAX_AGE_MS };
  try {
    const commands = await doveadm.readCommands(sourceHost, options);
    return commands.hasUserList || !commands.hasClusterCommands;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    logger.debug({ backend: sourceHost, code: error.code }, 'commands of the source not read');
    return true;
  }
}
