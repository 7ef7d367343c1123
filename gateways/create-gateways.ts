/** Every outside system of a process, from its settings. Nothing connects before it is asked. */
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Cache } from './cache/cache.ts';
import { createCache } from './cache/redis-cache.ts';
import { CassandraSession } from './cassandra-session.ts';
import type { Accounts } from './controller-store/accounts.ts';
import { createAccounts } from './controller-store/cassandra-accounts.ts';
import { createControllerStore } from './controller-store/cassandra-store.ts';
import type { ControllerStore } from './controller-store/controller-store.ts';
import type { Doveadm } from './doveadm/doveadm.ts';
import { createDoveadm } from './doveadm/http-doveadm.ts';
import { createGeodb } from './geodb/cassandra-geodb.ts';
import { namesWithTables } from './geodb/names.ts';
import type { Geodb } from './geodb/geodb.ts';
import { createPrometheus } from './prometheus/http-prometheus.ts';
import type { Prometheus } from './prometheus/prometheus.ts';
import { createTemporal } from './temporal/temporal-client.ts';
import type { Temporal } from './temporal/temporal.ts';

export interface Gateways {
  readonly geodb: Geodb;
  readonly store: ControllerStore;
  readonly accounts: Accounts;
  readonly doveadm: Doveadm;
  readonly prometheus: Prometheus;
  readonly cache: Cache;
  readonly temporal: Temporal;
  close(): Promise<void>;
}

/**
 * A neighbour that is dead stops nothing here: each call to it fails by its name, and works again
 * once the neighbour does.
 */
export function createGateways(config: Config, logger: Logger, metrics: Metrics): Gateways {
  const { geodbKeyspace, geodbTables } = config.cassandra;
  const session = new CassandraSession(config.cassandra, logger, metrics);
  const cache = createCache(config.redis, logger, metrics);
  const temporal = createTemporal(config.temporal, metrics);
  return {
    geodb: createGeodb(session, geodbKeyspace, namesWithTables(geodbTables)),
    store: createControllerStore(session, config.cassandra.keyspace),
    accounts: createAccounts(session, config.cassandra.keyspace),
    doveadm: createDoveadm(config.doveadm, metrics),
    prometheus: createPrometheus(config.prometheus, logger, metrics),
    cache,
    temporal,
    close: async () => {
      await Promise.allSettled([session.close(), cache.close(), temporal.close()]);
    },
  };
}
