/** What the GeoDB of the lab says: Backends, and who lives where. */
import type cassandra from 'cassandra-driver';
import { LabError } from './lab-control.ts';
import type { LabSettings } from './lab-settings.ts';

export interface LabCluster {
  /** By host name. */
  readonly backends: ReadonlyMap<string, { readonly status: string; readonly loadFactor: number }>;
  /** Users by host name of their Backend. */
  readonly homes: ReadonlyMap<string, readonly string[]>;
  /** Users whose move is under way, by host name of their Backend. */
  readonly moving: ReadonlyMap<string, number>;
}

/** Throws LabError where Cassandra does not answer. */
export async function readCluster(
  { geodb }: LabSettings,
  client: cassandra.Client,
): Promise<LabCluster> {
  try {
    return await read(client, geodb.keyspace);
  } catch (cause) {
    const message = `The GeoDB does not answer (Cassandra on ${geodb.contactPoint})`;
    throw new LabError(message, { cause });
  }
}

async function read(client: cassandra.Client, keyspace: string): Promise<LabCluster> {
  const found = await client.execute(
    `SELECT id, host, status, load_factor FROM ${keyspace}.backends`,
  );
  const hosts = new Map(found.rows.map((row) => [String(row['id']), String(row['host'])]));
  const backends = found.rows.map((row): [string, { status: string; loadFactor: number }] => [
    String(row['host']),
    { status: String(row['status']), loadFactor: Number(row['load_factor']) },
  ]);
  const homes = new Map<string, string[]>();
  const moving = new Map<string, number>();
  const query = `SELECT username, backend_id, moving FROM ${keyspace}.users`;
  for await (const row of await client.execute(query)) {
    const host = hosts.get(String(row['backend_id']));
    if (host === undefined) continue;
    const users = homes.get(host) ?? [];
    users.push(String(row['username']));
    homes.set(host, users);
    if (row['moving'] !== null) moving.set(host, (moving.get(host) ?? 0) + 1);
  }
  return { backends: new Map(backends), homes, moving };
}
