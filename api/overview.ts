/** The first page of the UI, put together from what everybody remembers. */
import type { FeatureSettings } from '../workflows/domain/feature-flag.ts';
import type { SiteReachability } from '../workflows/domain/site.ts';
import { readAutomationView } from './automation-view.ts';
import { presentBalancing } from './balancing-view.ts';
import { presentBackends, ratioOf, readSiteFacts, type SiteFacts } from './backend-view.ts';
import { presentCatastrophe } from './catastrophe-view.ts';
import { presentSite, readCluster, type Cluster } from './cluster-view.ts';
import { effectiveFeatures } from './feature-view.ts';
import { presentForeignMoves } from './foreign-moves-view.ts';
import { presentOperation } from './operation-view.ts';
import type { BackendView } from './schemas/cluster.ts';
import type { OverviewView } from './schemas/overview.ts';
import type { TaskView } from './schemas/task.ts';
import { strandedUsers } from './task-view.ts';
import type { ViewState } from './state.ts';

const SHOWN_DECISIONS = 20;

/** Rejects with GatewayError{cassandra}; every other neighbour may be down. */
export async function readOverview(state: ViewState): Promise<OverviewView> {
  const { dependencies } = state;
  const { store, geodb, config, now } = dependencies;
  const cluster = await readCluster(dependencies);
  const [facts, ownership, automation, nothings, balanced, reachability, tasks, health] =
    await Promise.all([
      readSiteFacts(state, cluster, cluster.home),
      state.ownership(),
      readAutomationView(dependencies),
      store.readLastNothings(config.site, 'check_backend_health'),
      store.readLastNothings(config.site, 'rebalance_sites'),
      geodb.readSiteReachability(),
      state.tasks.glance(),
      state.health(),
    ]);
  const backends = presentBackends(state, facts);
  return {
    nowMs: now(),
    site: presentSite(cluster, cluster.home),
    ownership,
    automation,
    features: featuresOfSite(cluster, facts.flags, now()),
    metrics: presentMetrics(state, facts),
    catastrophe: presentCatastrophe(dependencies, facts, nothings),
    balancing: presentBalancing(state, facts, {
      isPaused: automation.state === 'paused',
      recorded: [...balanced, ...facts.decisions.filter(({ task }) => task === 'rebalance_sites')],
    }),
    limits: limitsOf(state),
    backends,
    operations: facts.operations.map((operation) => presentOperation(cluster, operation)),
    foreignMoves: presentForeignMoves(cluster, facts.foreignMoves),
    decisions: facts.decisions.slice(0, SHOWN_DECISIONS),
    counts: countUp(backends, facts),
    reachability: countReachability(cluster, reachability),
    overdueTasks: tasks.filter(isLate).map(({ task }) => task),
    pausedTasks: tasks.filter(({ isPaused }) => isPaused === true).map(({ task }) => task),
    strandedUsers: strandedUsers(tasks),
    dependencies: health,
  };
}

/** Of a paused task nobody expects a success. */
function isLate({ isOverdue, isPaused }: TaskView): boolean {
  return isOverdue && isPaused !== true;
}

function featuresOfSite(cluster: Cluster, settings: FeatureSettings, nowMs: number) {
  return effectiveFeatures(cluster, settings, { siteId: cluster.home.id, backendId: null, nowMs });
}

function presentMetrics(state: ViewState, { metrics }: SiteFacts): OverviewView['metrics'] {
  const { now, config } = state.dependencies;
  const view = metrics.metrics?.view ?? null;
  const newestMs = view?.newestSampleMs ?? null;
  const { metricsMaxAgeSecs } = config.policy;
  const ageSecs = newestMs === null ? null : Math.max(0, now() - newestMs) / 1000;
  const isTooOld = ageSecs === null || ageSecs > metricsMaxAgeSecs;
  return {
    view,
    source: metrics.source,
    isBlind: view === null || view.blindReason !== null || isTooOld,
    takenAtMs: metrics.metrics?.takenAtMs ?? null,
    ageSecs,
    maxAgeSecs: metricsMaxAgeSecs,
  };
}

function limitsOf({ dependencies }: ViewState): OverviewView['limits'] {
  const { policy } = dependencies.config;
  return {
    failureRatio: policy.failureRatio,
    failureCriticalRatio: policy.failureCriticalRatio,
    failureMinLogins: policy.failureMinLogins,
    failureWindowSecs: policy.failureWindowSecs,
    failureCriticalWindowSecs: policy.failureCriticalWindowSecs,
  };
}

function countUp(backends: readonly BackendView[], facts: SiteFacts): OverviewView['counts'] {
  const having = (test: (backend: BackendView) => boolean) => backends.filter(test).length;
  const users = backends.map((backend) => backend.users);
  const isCounted = users.every((count) => count !== null);
  return {
    users: isCounted ? users.reduce((sum: number, count) => sum + (count ?? 0), 0) : null,
    backends: backends.length,
    online: having(({ status }) => status === 'online'),
    offline: having(({ status }) => status === 'offline'),
    standby: having(({ status }) => status === 'standby'),
    healthy: having(({ verdict }) => verdict === 'healthy'),
    degraded: having(({ verdict }) => verdict === 'degraded'),
    critical: having(({ verdict }) => verdict === 'critical'),
    unknown: having(({ verdict }) => verdict === 'unknown'),
    openOperations: facts.operations.length,
    ...attemptsOfSite(backends),
  };
}

/** What users of the site met with. */
function attemptsOfSite(backends: readonly BackendView[]) {
  const serving = backends.filter((backend) => !isOnlyProbed(backend));
  const seen = serving.flatMap(({ failure }) => (failure === null ? [] : [failure]));
  const sum = seen.reduce(
    (total, { logins, deliveries }) => ({
      succeeded: total.succeeded + logins.succeeded + deliveries.succeeded,
      failed: total.failed + logins.failed + deliveries.failed,
    }),
    { succeeded: 0, failed: 0 },
  );
  const windowSecs = seen[0]?.windowSecs ?? null;
  return {
    siteFailureRatio: ratioOf(sum),
    attemptsPerSec: windowSecs === null ? null : (sum.succeeded + sum.failed) / windowSecs,
  };
}

/** Nobody lives on it and nobody is sent there: who fails there is a test user that asks whether it is back. */
function isOnlyProbed({ status, users }: BackendView): boolean {
  return status === 'offline' && users === 0;
}

function countReachability(cluster: Cluster, pairs: readonly SiteReachability[]) {
  const ours = pairs.filter(({ sourceSiteId }) => sourceSiteId === cluster.home.id);
  return {
    sites: cluster.sites.length,
    unreachable: ours.filter(({ isReachable }) => !isReachable).length,
  };
}
