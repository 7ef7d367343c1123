/** Writes a large site into the GeoDB: users by many writes at once. */
import type cassandra from 'cassandra-driver';
import type { LargeSite } from './large-site.ts';

const WRITES_AT_ONCE = 256;
const ATTEMPTS = 5;
const FEATURES = ['MetricsExport', 'BackendHealthAutoHandling', 'BackendLoadBalancing'];
const GLOBAL_TARGET = '00000000-0000-0000-0000-000000000000';

/** @returns seconds that it took */
export async function seedLargeSite(
  client: cassandra.Client,
  keyspace: string,
  site: LargeSite,
  print: (line: string) => void,
): Promise<number> {
  const startedMs = performance.now();
  const write = async (cql: string, params: readonly unknown[]): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.execute(cql.replace('{ks}', keyspace), [...params], { prepare: true });
        return;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  };
  for (const { id, host } of site.backends) {
    await write(
      `INSERT INTO {ks}.backends (id, site_id, host, status, load_factor)
         VALUES (?, ?, ?, 'online', 100)`,
      [id, site.id, host],
    );
  }
  for (const name of FEATURES) {
    await write(
      `INSERT INTO {ks}.cluster_settings (scope, target, name, value)
         VALUES ('global', ?, ?, 'enabled')`,
      [GLOBAL_TARGET, name],
    );
  }
  await writeUsers(site, print, (username, homeId) =>
    write('INSERT INTO {ks}.users (username, backend_id) VALUES (?, ?)', [username, homeId]),
  );
  await write(`INSERT INTO {ks}.sites (id, name, status) VALUES (?, ?, 'online')`, [
    site.id,
    site.name,
  ]);
  return (performance.now() - startedMs) / 1000;
}

async function writeUsers(
  { users, backends }: LargeSite,
  print: (line: string) => void,
  write: (username: string, homeId: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < users) {
      const number = next++;
      if (number > 0 && number % 200_000 === 0) print(`${number} users written`);
      const home = backends[number % backends.length];
      await write(`u${String(number).padStart(7, '0')}@cycle.example`, home?.id ?? '');
    }
  };
  await Promise.all(Array.from({ length: WRITES_AT_ONCE }, lane));
}
