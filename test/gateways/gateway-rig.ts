/** What the tests of gateways share: settings for this net, keyspaces of their own, failures by code. */
import { randomUUID } from 'node:crypto';
import { CassandraSession } from '../../gateways/cassandra-session.ts';
import { GatewayError } from '../../gateways/gateway-error.ts';
import type { Config } from '../../platform/config.ts';
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { testNet } from '../support/test-net.ts';

export const logger = createLogger({ level: 'silent', role: 'test' });
export const metrics = createMetrics({ isDefaultIncluded: false });

/** Settings against the real parts of this net; each call has keyspaces of its own. */
export function rigConfig(more: Readonly<Record<string, string>> = {}): Config {
  const infra = `127.${testNet()}.0.1`;
  const run = randomUUID().slice(0, 8);
  return readConfig({
    CLUSTER_SITE: 'north',
    CASSANDRA_SERVERS: infra,
    CASSANDRA_GEODB_KEYSPACE: `geodb_${run}`,
    CASSANDRA_KEYSPACE: `store_${run}`,
    REDIS_URL: `redis://${infra}:6379`,
    PROMETHEUS_URL: `http://${infra}:9090`,
    TEMPORAL_ADDRESS: `127.0.0.1:${21_000 + Number(testNet())}`,
    DOVEADM_API_KEY: 'labapikey',
    ...more,
  });
}

export function openSession(config: Config): CassandraSession {
  return new CassandraSession(config.cassandra, logger, metrics);
}

/** Forgets a keyspace of this run and closes the session. */
export async function dropAndClose(session: CassandraSession, keyspace: string): Promise<void> {
  await session.executeSchema('cleanUp', `DROP KEYSPACE IF EXISTS ${keyspace}`);
  await session.close();
}

export function cql(keyspace: string, table: string, text: string) {
  return { keyspace, table, cql: text.replaceAll('{ks}', keyspace) };
}

/** The GatewayError of a call; fails where there is none. */
export async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('the call succeeded');
}
