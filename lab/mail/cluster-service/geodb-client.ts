/**
 * A connection to Cassandra that never gives up. The driver does: for good when its first connection
 * fails, and now and then after a long silence. Then a new client is tried.
 */
import cassandra from 'cassandra-driver';
import type { Settings } from './settings.ts';

export interface GeodbClient {
  execute(
    query: string,
    params: unknown[],
    options: cassandra.QueryOptions,
  ): Promise<cassandra.types.ResultSet>;
  /** Plain writes in one request; some may be done where it fails. */
  batch(writes: { query: string; params: unknown[] }[]): Promise<cassandra.types.ResultSet>;
  shutdown(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 1500;
const READ_TIMEOUT_MS = 2000;
const RECONNECT_MS = 500;
/** Nothing but failures for so long: the client itself may be the reason. */
const SUSPICIOUS_MS = 15_000;

/** Connects at the first query; a query while there is no connection fails at once. */
export function createGeodbClient(settings: Settings['cassandra']): GeodbClient {
  let client = openClient(settings);
  let connected: Promise<void> | null = null;
  let retryAtMs = 0;
  let failingSinceMs: number | null = null;
  const replaceClient = () => {
    const former = client;
    client = openClient(settings);
    connected = null;
    failingSinceMs = null;
    retryAtMs = Date.now() + RECONNECT_MS;
    former.shutdown().catch(() => undefined);
  };
  const connect = () => {
    if (Date.now() < retryAtMs) return Promise.reject(new Error('Cassandra is not connected'));
    connected ??= client.connect().catch((error: unknown) => {
      replaceClient();
      throw error;
    });
    return connected;
  };
  const noteFailure = (used: cassandra.Client) => {
    failingSinceMs ??= Date.now();
    const isOurs = used === client;
    if (isOurs && Date.now() - failingSinceMs > SUSPICIOUS_MS) replaceClient();
  };
  const use = async <T>(work: (used: cassandra.Client) => Promise<T>): Promise<T> => {
    await connect();
    const used = client;
    try {
      const result = await work(used);
      failingSinceMs = null;
      return result;
    } catch (error) {
      noteFailure(used);
      throw error;
    }
  };
  return {
    execute: (query, params, options) => use((used) => used.execute(query, params, options)),
    batch: (writes) => use((used) => used.batch(writes, { prepare: true, logged: false })),
    shutdown: () => client.shutdown(),
  };
}

function openClient(settings: Settings['cassandra']): cassandra.Client {
  const { consistencies, distance } = cassandra.types;
  const { ConstantReconnectionPolicy } = cassandra.policies.reconnection;
  return new cassandra.Client({
    contactPoints: settings.servers.map((server) => `${server}:${settings.port}`),
    localDataCenter: settings.localDatacenter,
    pooling: { coreConnectionsPerHost: { [distance.local]: 1 } },
    socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: READ_TIMEOUT_MS },
    policies: { reconnection: new ConstantReconnectionPolicy(RECONNECT_MS) },
    queryOptions: {
      consistency: consistencies.localQuorum,
      serialConsistency: consistencies.localSerial,
      fetchSize: 1000,
    },
    isMetadataSyncEnabled: false,
  });
}
