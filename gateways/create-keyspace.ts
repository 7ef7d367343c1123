/** Keyspaces that we create ourselves: the GeoDB of the lab and of CE clusters, and our own. */
import type { CassandraSession } from './cassandra-session.ts';

const MAX_COPIES = 3;

/** As many copies as there are nodes in the local data centre, at most three. */
export async function createKeyspace(
  session: CassandraSession,
  keyspace: string,
  localDataCenter: string,
): Promise<void> {
  const copies = Math.min(MAX_COPIES, Math.max(1, await session.countNodes()));
  await session.executeSchema(
    'createKeyspace',
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ` +
      `{'class': 'NetworkTopologyStrategy', '${localDataCenter}': ${copies}}`,
  );
}
