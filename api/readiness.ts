/** `/health/ready`: whether this process can serve, and the site was judged since the start. */
import { backendsOf, readCluster } from './cluster-view.ts';
import type { ViewState } from './state.ts';
import type { DependenciesView } from './schemas/task.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: DependenciesView;
  readonly waitingFor?: readonly string[];
}

/**
 * Cassandra and Temporal decide; Redis and Prometheus are only reported. With READY_AFTER, ready is
 * also held back until every online Backend of the site that has users was judged since then; once
 * that was so it is never asked again, so that a quiet Backend makes nobody unready.
 */
export function createReadiness(state: ViewState): () => Promise<Readiness> {
  const { readyAfterMs } = state.dependencies.config.http;
  let isJudged = readyAfterMs === null;
  return async () => {
    const dependencies = await state.health();
    if (!dependencies.cassandra.ok || !dependencies.temporal.ok) {
      return { ready: false, dependencies };
    }
    if (!isJudged) {
      const waitingFor = await readUnjudged(state, readyAfterMs ?? 0);
      if (waitingFor.length > 0) return { ready: false, dependencies, waitingFor };
      isJudged = true;
    }
    return { ready: true, dependencies };
  };
}

/** Hosts that were not judged other than unknown since `sinceMs`. */
async function readUnjudged(state: ViewState, sinceMs: number): Promise<readonly string[]> {
  const { dependencies } = state;
  try {
    const cluster = await readCluster(dependencies);
    const online = backendsOf(cluster, cluster.home).filter(({ status }) => status === 'online');
    const [memories, counts] = await Promise.all([
      dependencies.store.readBackendMemories(dependencies.config.site),
      state.userCounts.read(online),
    ]);
    const judgedAt = new Map(memories.map((memory) => [memory.backendId, memory.judgedAtMs]));
    return online
      .filter(({ id }) => counts.get(id)?.users !== 0)
      .filter(({ id }) => (judgedAt.get(id) ?? 0) < sinceMs)
      .map(({ host }) => host);
  } catch (error) {
    dependencies.logger.warn({ error }, 'readiness could not be found out');
    return [dependencies.config.site];
  }
}
