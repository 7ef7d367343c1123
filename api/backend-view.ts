/** Backends as the API shows them: the GeoDB's facts with verdicts, metrics, counts, decisions. */
import type { Backend, BackendReachability } from '../workflows/domain/backend.ts';
import type { BackendMemory } from '../workflows/domain/cluster-snapshot.ts';
import type { RecordedDecision } from '../workflows/domain/decision.ts';
import type { FeatureSettings } from '../workflows/domain/feature-flag.ts';
import type { AttemptCounts, AttemptWindow, SiteMetrics } from '../workflows/domain/metrics.ts';
import type { Operation } from '../workflows/domain/operation.ts';
import type { ForeignMoveScan } from '../workflows/domain/user-move.ts';
import type { Site } from '../workflows/domain/site.ts';
import type { SiteBalance } from '../workflows/policy/view-balancing.ts';
import { balanceOf } from './balancing-view.ts';
import { backendsOf, type Cluster } from './cluster-view.ts';
import { readFeatureSettings } from './feature-view.ts';
import type { BackendView, FailureView } from './schemas/cluster.ts';
import type { SiteMetricsAnswer } from './site-metrics.ts';
import type { ViewState } from './state.ts';
import type { UserCount } from './user-counts.ts';

/** Everything that is read once to show the Backends of one site. */
export interface SiteFacts {
  readonly site: Site;
  readonly backends: readonly Backend[];
  readonly memories: ReadonlyMap<string, BackendMemory>;
  readonly operations: readonly Operation[];
  /** Newest first. */
  readonly decisions: readonly RecordedDecision[];
  readonly metrics: SiteMetricsAnswer;
  readonly counts: ReadonlyMap<string, UserCount>;
  /** Moves that somebody else began; null: nobody has looked yet. */
  readonly foreignMoves: ForeignMoveScan | null;
  readonly flags: FeatureSettings;
  /** By Backend id; of another site: empty, its own controller looks. */
  readonly reachability: ReadonlyMap<string, BackendReachability>;
}

const RECENT_DECISIONS = 100;

/** Rejects with GatewayError{cassandra}. */
export async function readSiteFacts(
  state: ViewState,
  cluster: Cluster,
  site: Site,
): Promise<SiteFacts> {
  const { store } = state.dependencies;
  const backends = backendsOf(cluster, site);
  const [memories, operations, page, metrics, counts, foreignMoves, flags, reachability] =
    await Promise.all([
      store.readBackendMemories(site.name),
      store.listOpenOperations(site.name),
      store.readDecisions({ siteName: site.name, limit: RECENT_DECISIONS }),
      state.metrics(site.name),
      state.userCounts.read(backends),
      store.readForeignMoveScan(site.name),
      readFeatureSettings(state.dependencies),
      store.readReachability(site.name),
    ]);
  return {
    site,
    backends,
    memories: new Map(memories.map((memory) => [memory.backendId, memory])),
    operations,
    decisions: page.decisions,
    metrics,
    counts,
    foreignMoves,
    flags,
    reachability: new Map(reachability.map((each) => [each.backendId, each])),
  };
}

export function presentBackends(state: ViewState, facts: SiteFacts): BackendView[] {
  const balance = balanceOf(state, facts);
  return facts.backends.map((backend) => presentBackend(state, facts, backend, balance));
}

export function presentBackend(
  state: ViewState,
  facts: SiteFacts,
  backend: Backend,
  balance: SiteBalance | null = balanceOf(state, facts),
): BackendView {
  const { policy } = state.dependencies.config;
  const memory = facts.memories.get(backend.id) ?? null;
  const metrics = facts.metrics.metrics;
  return {
    id: backend.id,
    host: backend.host,
    siteName: facts.site.name,
    status: backend.status,
    loadFactor: backend.loadFactor,
    ...presentMemory(memory),
    ...presentCount(facts.counts.get(backend.id)),
    sessions: null,
    failure: failureOver(metrics, backend.host, policy.failureWindowSecs),
    criticalFailure: failureOver(metrics, backend.host, policy.failureCriticalWindowSecs),
    load: metrics?.load[backend.host] ?? null,
    foreignMoves: foreignMovesOff(facts, backend.id),
    balancing: presentBalance(balance, backend),
    doveadm: presentDoveadm(facts.reachability.get(backend.id)),
    isOfflineByController: isOfflineByController(backend, memory),
    operationId: facts.operations.find((each) => each.sourceId === backend.id)?.operationId ?? null,
    lastDecision: facts.decisions.find((each) => each.hosts.includes(backend.host)) ?? null,
  };
}

function foreignMovesOff({ foreignMoves }: SiteFacts, backendId: string) {
  const counted = foreignMoves?.sources.find(({ sourceId }) => sourceId === backendId);
  if (counted === undefined) return null;
  return { users: counted.users, oldestSeenAtMs: counted.oldestSeenAtMs };
}

/** What automation remembers of a Backend; a Backend that it has not seen yet is unknown. */
function presentMemory(
  memory: BackendMemory | null,
): Pick<BackendView, 'verdict' | 'verdictSinceMs' | 'judgedAtMs' | 'operatorHoldUntilMs'> {
  return {
    verdict: memory?.verdict ?? 'unknown',
    verdictSinceMs: memory?.verdictSinceMs ?? null,
    judgedAtMs: memory?.judgedAtMs ?? null,
    operatorHoldUntilMs: memory?.operatorHoldUntilMs ?? null,
  };
}

function presentBalance(balance: SiteBalance | null, { id }: Backend): BackendView['balancing'] {
  const own = balance?.backends.find(({ backendId }) => backendId === id);
  if (own === undefined) return null;
  const { exclusion, score, parts } = own;
  return { exclusion, score, parts };
}

function presentDoveadm(looked: BackendReachability | undefined): BackendView['doveadm'] {
  if (looked === undefined) return null;
  const { isReachable, failure, sinceMs, checkedAtMs } = looked;
  return { isReachable, failure, sinceMs, checkedAtMs };
}

function presentCount(
  count: UserCount | undefined,
): Pick<BackendView, 'users' | 'usersCountedAtMs'> {
  return { users: count?.users ?? null, usersCountedAtMs: count?.countedAtMs ?? null };
}

/** We remember the write time of our own change; another one is somebody else's change. */
export function isOfflineByController(backend: Backend, memory: BackendMemory | null): boolean {
  const ours = memory?.offlineWrittenAtMicros ?? null;
  return backend.status === 'offline' && ours !== null && ours === backend.statusWrittenAtMicros;
}

/** The shortest look-back that covers `windowSecs`; null where nothing is known, or blind. */
function failureOver(
  metrics: SiteMetrics | null,
  host: string,
  windowSecs: number,
): FailureView | null {
  if (metrics === null || metrics.view.blindReason !== null) return null;
  const windows = metrics.attempts[host] ?? [];
  const window = windows.find((each) => each.windowSecs >= windowSecs);
  return window === undefined ? null : presentWindow(window);
}

function presentWindow({ windowSecs, logins, deliveries }: AttemptWindow): FailureView {
  const both = {
    succeeded: logins.succeeded + deliveries.succeeded,
    failed: logins.failed + deliveries.failed,
  };
  const ratios = [logins, deliveries, both].map(ratioOf).filter((ratio) => ratio !== null);
  return {
    windowSecs,
    logins: { ...logins, ratio: ratioOf(logins) },
    deliveries: { ...deliveries, ratio: ratioOf(deliveries) },
    worstRatio: ratios.length === 0 ? null : Math.max(...ratios),
  };
}

/** 0 to 1; null without attempts. */
export function ratioOf({ succeeded, failed }: AttemptCounts): number | null {
  const attempts = succeeded + failed;
  return attempts > 0 ? failed / attempts : null;
}
