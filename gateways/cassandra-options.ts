/** How the driver is to reach Cassandra. */
import cassandra from 'cassandra-driver';
import type { CassandraConfig } from '../platform/config.ts';

const { consistencies } = cassandra.types;
const CONNECT_TIMEOUT_MS = 2000;
export const READ_TIMEOUT_MS = 4000;
const RECONNECT_AFTER_MS = 500;

export function clientOptions(config: CassandraConfig): cassandra.ClientOptions {
  const { policies } = cassandra;
  return {
    contactPoints: [...config.servers],
    localDataCenter: config.localDataCenter,
    ...(config.credentials === null ? {} : { credentials: config.credentials }),
    ...(config.isTlsEnabled ? { sslOptions: { rejectUnauthorized: true } } : {}),
    protocolOptions: { maxVersion: config.protocolVersion },
    encoding: { useBigIntAsLong: true },
    policies: {
      reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_AFTER_MS),
      // The driver's own choice is aware of data centre and token.
      ...(config.isDataCenterAware
        ? {}
        : { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() }),
    },
    queryOptions: {
      consistency: consistencies.localQuorum,
      serialConsistency: consistencies.localSerial,
      prepare: true,
      fetchSize: 5000,
    },
    socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: READ_TIMEOUT_MS },
  };
}
