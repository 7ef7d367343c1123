/** Whether each neighbour answers, asked at most every two seconds. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { Dependencies } from './dependencies.ts';
import { memoize, withTimeout } from '../platform/memoize.ts';
import type { DependenciesView } from './schemas/task.ts';

const PING_TIMEOUT_MS = 1500;
const MAX_AGE_MS = 2000;

/** Never rejects. */
export type DependencyHealth = () => Promise<DependenciesView>;

export function createDependencyHealth(dependencies: Dependencies): DependencyHealth {
  const { geodb, store, temporal, cache, prometheus, now } = dependencies;
  const pingCassandra = async () => {
    await Promise.all([geodb.ping(), store.ping()]);
  };
  const load = async (): Promise<DependenciesView> => {
    const [cassandraView, temporalView, redisView, prometheusView] = await Promise.all([
      check(pingCassandra),
      check(() => temporal.ping()),
      check(() => cache.ping()),
      check(() => prometheus.ping()),
    ]);
    return {
      cassandra: cassandraView,
      temporal: temporalView,
      redis: redisView,
      prometheus: prometheusView,
    };
  };
  return memoize(load, MAX_AGE_MS, now);
}

async function check(ping: () => Promise<void>): Promise<{ ok: boolean; error?: string }> {
  try {
    const onTimeout = () => new Error(`no answer within ${PING_TIMEOUT_MS} ms`);
    await withTimeout(ping(), PING_TIMEOUT_MS, onTimeout);
    return { ok: true };
  } catch (error) {
    return { ok: false, error: describe(error) };
  }
}

/** Open to everybody, so it says no more than which kind of trouble it is. */
function describe(error: unknown): string {
  if (error instanceof GatewayError) {
    return error.subject === null ? error.code : `${error.code} (${error.subject})`;
  }
  return error instanceof Error ? error.message : 'unknown error';
}
