/** Task `scrape_stats`: what /metrics exports beside what this process counts itself. */
import { Gauge } from 'prom-client';
import type { OperationCause, OperationKind } from '../workflows/domain/operation.ts';
import { resolveFeature } from '../workflows/policy/resolve-feature.ts';
import { readSiteFacts, type SiteFacts } from './backend-view.ts';
import { balanceOf } from './balancing-view.ts';
import { presentCatastrophe } from './catastrophe-view.ts';
import { readCluster } from './cluster-view.ts';
import type { Dependencies } from './dependencies.ts';
import { memoize } from '../platform/memoize.ts';
import type { ViewState } from './state.ts';
import { createTaskFigures } from './task-figures.ts';

const MAX_AGE_MS = 2000;
/** A scrape waits no longer for fresh figures; it then gets the last ones. */
const MAX_WAIT_MS = 700;

export interface Figures {
  /** The OpenMetrics text; null: MetricsExport is off, so the endpoint does not work. */
  render(): Promise<string | null>;
}

export function createFigures(state: ViewState): Figures {
  const { dependencies } = state;
  const { logger, metrics, now } = dependencies;
  const gauges = createGauges(dependencies);
  const exported = new Set<string>();
  let isExported = true;
  const refresh = memoize(
    async () => {
      const startedAtMs = now();
      try {
        isExported = await refreshFigures(state, gauges, exported);
        metrics.observeTask('scrape_stats', 'success', now() - startedAtMs);
        await saveRun(dependencies, startedAtMs);
      } catch (error) {
        logger.warn({ error }, 'exported figures could not be refreshed');
        metrics.observeTask('scrape_stats', 'failure', now() - startedAtMs);
      }
    },
    MAX_AGE_MS,
    now,
  );
  return {
    render: async () => {
      await Promise.race([refresh(), delay(MAX_WAIT_MS)]);
      return isExported ? await metrics.render() : null;
    },
  };
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges(dependencies: Dependencies) {
  const { registry } = dependencies.metrics;
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  return {
    setTasks: createTaskFigures(dependencies),
    operations: gauge('dovekeeper_operations_open', 'Operations that have not ended.', [
      'kind',
      'cause',
      'state',
    ]),
    remaining: gauge('dovekeeper_operation_users_remaining', 'Users still to be moved.', [
      'source',
    ]),
    users: gauge('dovekeeper_backend_users', 'Users that live on a Backend.', ['backend']),
    online: gauge('dovekeeper_backend_online', '1 where the Backend is online.', ['backend']),
    foreignMoves: gauge(
      'dovekeeper_foreign_moves',
      'Users whose move off a Backend somebody else began and that has not ended.',
      ['source'],
    ),
    foreignAge: gauge(
      'dovekeeper_foreign_moves_oldest_age_seconds',
      'Seconds since the oldest of these moves was first seen.',
      ['source'],
    ),
    reachable: gauge(
      'dovekeeper_backend_doveadm_reachable',
      '1 where the controller reaches the doveadm of the Backend.',
      ['backend'],
    ),
    score: gauge('dovekeeper_backend_load_score', 'Load score of a Backend in balancing.', [
      'backend',
    ]),
    holding: gauge('dovekeeper_catastrophe_protection', '1 while protection holds.', []),
    blind: gauge('dovekeeper_blind', '1 while the metrics show too little to decide.', []),
  };
}

/** Answers whether figures may be exported at all. */
async function refreshFigures(
  state: ViewState,
  gauges: Gauges,
  exported: Set<string>,
): Promise<boolean> {
  const { dependencies } = state;
  const { store, metrics, config, now } = dependencies;
  const cluster = await readCluster(dependencies);
  const [facts, tasks, nothings] = await Promise.all([
    readSiteFacts(state, cluster, cluster.home),
    state.tasks.glance(),
    store.readLastNothings(config.site, 'check_backend_health'),
  ]);
  const place = { siteId: cluster.home.id, backendId: null, nowMs: now() };
  if (resolveFeature(facts.flags, 'MetricsExport', place).state === 'disabled') return false;
  gauges.setTasks(tasks);
  forgetFormer(metrics, exported, facts.backends);
  setBackends(state, gauges, facts);
  setOperations(gauges, facts.operations);
  setForeignMoves(gauges, facts, now());
  const catastrophe = presentCatastrophe(dependencies, facts, nothings);
  gauges.holding.set(catastrophe.isHolding ? 1 : 0);
  const view = facts.metrics.metrics?.view;
  gauges.blind.set(view === undefined || view.blindReason !== null ? 1 : 0);
  return true;
}

function setForeignMoves(gauges: Gauges, facts: SiteFacts, nowMs: number): void {
  gauges.foreignMoves.reset();
  gauges.foreignAge.reset();
  const sources = facts.foreignMoves?.sources ?? [];
  for (const { id, host } of facts.backends) {
    const counted = sources.find(({ sourceId }) => sourceId === id);
    gauges.foreignMoves.set({ source: host }, counted?.users ?? 0);
    const ageMs = counted === undefined ? 0 : Math.max(0, nowMs - counted.oldestSeenAtMs);
    gauges.foreignAge.set({ source: host }, ageMs / 1000);
  }
}

function setBackends(state: ViewState, gauges: Gauges, facts: SiteFacts): void {
  const { metrics } = state.dependencies;
  const balance = balanceOf(state, facts);
  for (const one of [gauges.users, gauges.online, gauges.reachable, gauges.score]) one.reset();
  for (const backend of facts.backends) {
    const score = balance?.backends.find(({ backendId }) => backendId === backend.id)?.score;
    if (score != null) gauges.score.set({ backend: backend.host }, score);
    const isReachable = facts.reachability.get(backend.id)?.isReachable;
    if (isReachable !== undefined) {
      gauges.reachable.set({ backend: backend.host }, isReachable ? 1 : 0);
    }
    metrics.setVerdict(backend.host, facts.memories.get(backend.id)?.verdict ?? 'unknown');
    gauges.online.set({ backend: backend.host }, backend.status === 'online' ? 1 : 0);
    const users = facts.counts.get(backend.id)?.users;
    if (users !== undefined) gauges.users.set({ backend: backend.host }, users);
  }
}

/** Backends that left the site are exported no longer. */
function forgetFormer(
  metrics: Dependencies['metrics'],
  exported: Set<string>,
  backends: readonly { readonly host: string }[],
): void {
  const present = new Set(backends.map(({ host }) => host));
  for (const host of exported) {
    if (!present.has(host)) metrics.forgetBackend(host);
  }
  exported.clear();
  for (const host of present) exported.add(host);
}

interface CountedOperation {
  readonly kind: OperationKind;
  readonly cause: OperationCause;
  readonly state: string;
  readonly sourceHost: string;
  readonly counts: { readonly remaining: number };
}

function setOperations(gauges: Gauges, operations: readonly CountedOperation[]): void {
  gauges.operations.reset();
  gauges.remaining.reset();
  for (const { kind, cause, state, sourceHost, counts } of operations) {
    gauges.operations.inc({ kind, cause, state });
    gauges.remaining.set({ source: sourceHost }, counts.remaining);
  }
}

async function saveRun(dependencies: Dependencies, startedAtMs: number): Promise<void> {
  const { store, config, logger, now } = dependencies;
  const run = {
    siteName: config.site,
    task: 'scrape_stats',
    lastStartedAtMs: startedAtMs,
    lastSucceededAtMs: now(),
    lastDurationMs: now() - startedAtMs,
    lastError: null,
    lastErrorAtMs: null,
    failingSinceMs: null,
    outcomes: {},
  } as const;
  await store.saveTaskRun(run).catch((error: unknown) => {
    logger.debug({ error }, 'run of scrape_stats could not be saved');
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
