/** Who lives where, read from the GeoDB every few seconds; while that is silent, the last answer. */
import type cassandra from 'cassandra-driver';

export interface UserHomes {
  /** Users by host name of their Backend. */
  current(): ReadonlyMap<string, readonly string[]>;
  stop(): void;
}

const REFRESH_MS = 3000;
/** Users who only live somewhere: no client of theirs exists. */
const NOBODY = /^x-/;

/** Answers when the homes are known for the first time. */
export async function followUserHomes(
  client: cassandra.Client,
  keyspace: string,
): Promise<UserHomes> {
  let homes = await readHomes(client, keyspace);
  let isStopped = false;
  const tick = async () => {
    homes = await readHomes(client, keyspace).catch(() => homes);
    if (!isStopped) timer = setTimeout(() => void tick(), REFRESH_MS);
  };
  let timer = setTimeout(() => void tick(), REFRESH_MS);
  return {
    current: () => homes,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

async function readHomes(client: cassandra.Client, keyspace: string) {
  const backends = await client.execute(`SELECT id, host FROM ${keyspace}.backends`);
  const hosts = new Map(backends.rows.map((row) => [String(row['id']), String(row['host'])]));
  const homes = new Map<string, string[]>();
  const query = `SELECT username, backend_id FROM ${keyspace}.users`;
  for await (const row of await client.execute(query)) {
    const host = hosts.get(String(row['backend_id']));
    const username = String(row['username']);
    if (host === undefined || NOBODY.test(username)) continue;
    const users = homes.get(host) ?? [];
    users.push(username);
    homes.set(host, users);
  }
  return homes;
}
