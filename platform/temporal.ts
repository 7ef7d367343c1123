/** The connection of a process to Temporal as a client. */
import { Client, Connection } from '@temporalio/client';
import { DATA_CONVERTER } from './payload-codec.ts';

export interface TemporalClient {
  readonly connection: Connection;
  readonly client: Client;
  close(): Promise<void>;
}

/**
 * Connects at the first call and again after every loss; never fails here.
 * Callers give each call a deadline (`connection.withDeadline`), as gRPC would retry for long.
 */
export function createTemporalClient(options: {
  address: string;
  namespace: string;
}): TemporalClient {
  const connection = Connection.lazy({
    address: options.address,
    connectTimeout: '5s',
    channelArgs: {
      // After an outage the next attempt must not wait for the default two minutes.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 1000,
    },
  });
  const client = new Client({
    connection,
    namespace: options.namespace,
    dataConverter: DATA_CONVERTER,
  });
  return { connection, client, close: () => connection.close() };
}
