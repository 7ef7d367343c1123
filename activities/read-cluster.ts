/** Snapshots: all facts that one decision is made from, all or nothing. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { Backend } from '../workflows/domain/backend.ts';
import type {
  BackendFacts,
  BackendMemory,
  ClusterSnapshot,
  MovesSnapshot,
  RunningOperation,
  StoredSnapshot,
} from '../workflows/domain/cluster-snapshot.ts';
import type { Feature, FeatureSettings, FeatureState } from '../workflows/domain/feature-flag.ts';
import type { SiteMetrics } from '../workflows/domain/metrics.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { Site } from '../workflows/domain/site.ts';
import { differingFeatures, resolveFeatures } from '../workflows/policy/resolve-feature.ts';
import type { ActivityContext, SharedLooks } from './context.ts';
import { readSwitches } from './read-flags.ts';
import { readSiteMetrics } from './site-metrics.ts';
import { readClaim } from './site-owner.ts';

export interface ReadClusterActivities {
  /** Reads and stores the snapshot of this site; its metrics come straight from Prometheus. */
  takeSnapshot(): Promise<StoredSnapshot>;
  /** The same with the moves that `check_user_moves` saw: rare, only where it has to act. */
  keepMoves(input: { moves: MovesSnapshot }): Promise<{ readonly snapshotId: string }>;
}

export function createReadCluster(
  context: ActivityContext,
  looks: SharedLooks,
): ReadClusterActivities {
  return {
    async takeSnapshot() {
      const snapshot = await readSnapshot(context, looks);
      const snapshotId = await context.store.saveSnapshot(snapshot, { keep: false });
      return { snapshotId, snapshot };
    },
    async keepMoves({ moves }) {
      const snapshot = { ...(await readSnapshot(context, looks)), moves };
      return { snapshotId: await context.store.saveSnapshot(snapshot, { keep: true }) };
    },
  };
}

/** The home site's row; a site that the GeoDB does not know is a permanent refusal that names it. */
export async function readHomeSite(context: ActivityContext): Promise<Site> {
  const siteName = context.config.site;
  const sites = await context.geodb.readSites();
  const site = sites.find((each) => each.name === siteName);
  if (site !== undefined) return site;
  throw new GatewayError(`the GeoDB has no site named ${siteName} (CLUSTER_SITE)`, {
    system: 'cassandra',
    operation: 'readSites',
    isTemporary: true,
    code: 'NotFound',
    subject: siteName,
  });
}

async function readSnapshot(
  context: ActivityContext,
  looks: SharedLooks,
): Promise<ClusterSnapshot> {
  const { config } = context;
  const takenAtMs = Date.now();
  const site = await readHomeSite(context);
  // Probing hundreds of hosts takes as long as everything else together: it begins first.
  const backends = await context.geodb.readBackends(site.id);
  const [reachable, switches, memories, operations, claim, metrics] = await Promise.all([
    looks.findReachable(backends),
    readSwitches(context, takenAtMs),
    context.store.readBackendMemories(config.site),
    context.store.listOpenOperations(config.site),
    readClaim(context),
    readSiteMetrics(context),
  ]);
  const userCounts = await looks.userCounts.read(backends, operations);
  const features = resolveFeatures(switches.flags, {
    siteId: site.id,
    backendId: null,
    nowMs: takenAtMs,
  });
  const isExportOff = features.MetricsExport === 'disabled';
  const facts = { site, takenAtMs, features, switches, memories, operations, metrics };
  return {
    takenAtMs,
    siteId: site.id,
    siteName: site.name,
    isOwner: claim.isOurs,
    epoch: claim.epoch,
    automation: switches.automation,
    features,
    settings: config.policy,
    metrics: isExportOff ? { ...metrics.view, blindReason: 'MetricsExportOff' } : metrics.view,
    backends: [...backends]
      .sort((a, b) => (a.host < b.host ? -1 : 1))
      .map((backend) => gatherFacts(backend, { ...facts, userCounts, reachable })),
  };
}

interface Readings {
  readonly site: Site;
  readonly takenAtMs: number;
  readonly features: Record<Feature, FeatureState>;
  readonly switches: { readonly flags: FeatureSettings };
  readonly memories: readonly BackendMemory[];
  readonly operations: readonly Operation[];
  readonly metrics: SiteMetrics;
  readonly userCounts: ReadonlyMap<string, number>;
  readonly reachable: ReadonlySet<string>;
}

function gatherFacts(backend: Backend, readings: Readings): BackendFacts {
  const operation = readings.operations.find((each) => each.sourceId === backend.id);
  return {
    id: backend.id,
    host: backend.host,
    status: backend.status,
    loadFactor: backend.loadFactor,
    statusWrittenAtMicros: backend.statusWrittenAtMicros,
    userCount: readings.userCounts.get(backend.id) ?? 0,
    isDoveadmReachable: readings.reachable.has(backend.host),
    attempts: readings.metrics.attempts[backend.host] ?? [],
    load: readings.metrics.load[backend.host] ?? null,
    memory: readings.memories.find((each) => each.backendId === backend.id) ?? null,
    operation: operation === undefined ? null : toRunning(operation),
    features: differingFeatures(
      readings.switches.flags,
      { siteId: readings.site.id, backendId: backend.id, nowMs: readings.takenAtMs },
      readings.features,
    ),
  };
}

function toRunning(operation: Operation): RunningOperation {
  return {
    operationId: operation.operationId,
    kind: operation.kind,
    cause: operation.cause,
    state: operation.state,
    stateReason: operation.stateReason,
    remaining: operation.counts.remaining,
    createdAtMs: operation.createdAtMs,
    updatedAtMs: operation.updatedAtMs,
  };
}
