/**
 * The first contents of the GeoDB: sites, Backends, users spread evenly, features enabled. All rows
 * are written as of long ago, so that whatever somebody else wrote stays, however often this runs.
 */
import cassandra from 'cassandra-driver';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { hostsOf } from './hosts.mjs';

export interface SeedUser {
  readonly username: string;
  readonly site: string;
  /** Host name of the Backend. */
  readonly host: string;
}

export interface GeodbAddress {
  readonly contactPoint: string;
  readonly keyspace: string;
}

const LONG_AGO_MICROS = '1700000000000000';
const GLOBAL_TARGET = '00000000-0000-0000-0000-000000000000';
const ENABLED_FEATURES = ['MetricsExport', 'BackendHealthAutoHandling', 'BackendLoadBalancing'];
const WRITES_AT_ONCE = 128;
/** A busy machine makes Cassandra miss its own deadline; every write here may be repeated. */
const WRITE_ATTEMPTS = 5;

type Write = readonly [query: string, params: readonly unknown[]];

/** A connection for lab tools; the caller shuts it down. */
export function connectGeodb({ contactPoint }: Pick<GeodbAddress, 'contactPoint'>) {
  return new cassandra.Client({
    contactPoints: [contactPoint],
    localDataCenter: 'datacenter1',
    isMetadataSyncEnabled: false,
    policies: { reconnection: new cassandra.policies.reconnection.ConstantReconnectionPolicy(500) },
    queryOptions: {
      prepare: true,
      consistency: cassandra.types.consistencies.localQuorum,
      serialConsistency: cassandra.types.consistencies.localSerial,
      fetchSize: 1000,
    },
  });
}

/** The id of a site or Backend of the lab: always the same for the same name. */
export function labId(name: string): string {
  const hex = createHash('sha256').update(`dovekeeper lab ${name}`).digest('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`];
  return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}

/** Users spread evenly over all Backends: u0001@north.example, ... */
export function seedUsers(net: number, count: number): SeedUser[] {
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const lastNumber = new Map<string, number>();
  return Array.from({ length: count }, (_, index) => {
    const { name: host, site } = backends[index % backends.length] as (typeof backends)[number];
    const number = (lastNumber.get(site) ?? 0) + 1;
    lastNumber.set(site, number);
    return { username: `u${String(number).padStart(4, '0')}@${site}.example`, site, host };
  });
}

/** True: it was written; false: the cluster was there already and is left as it is. */
export async function seedGeodb(
  client: cassandra.Client,
  keyspace: string,
  { net, users }: { readonly net: number; readonly users: readonly SeedUser[] },
): Promise<boolean> {
  if (await isSeeded(client, keyspace)) return false;
  await writeAll(client, [...backendWrites(net, keyspace), ...featureWrites(keyspace)]);
  await writeAll(client, userWrites(users, keyspace));
  // Last, because they tell that everything else is there.
  await writeAll(client, siteWrites(net, keyspace));
  return true;
}

async function isSeeded(client: cassandra.Client, keyspace: string): Promise<boolean> {
  const { rows } = await client.execute(`SELECT id FROM ${keyspace}.sites`);
  return rows.length > 0;
}

function siteWrites(net: number, keyspace: string): Write[] {
  const proxies = hostsOf(net).filter(({ role }) => role === 'proxy');
  const sites = [...new Set(proxies.map(({ site }) => site))];
  return sites.map((site) => [
    `INSERT INTO ${keyspace}.sites (id, name, tag, load_balancer, status)
       VALUES (?, ?, ?, ?, 'online') USING TIMESTAMP ${LONG_AGO_MICROS}`,
    [labId(site), site, labId('tag'), proxies.find((proxy) => proxy.site === site)?.name],
  ]);
}

function backendWrites(net: number, keyspace: string): Write[] {
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const tag: Write = [
    `INSERT INTO ${keyspace}.tags (id, name) VALUES (?, ?) USING TIMESTAMP ${LONG_AGO_MICROS}`,
    [labId('tag'), 'lab'],
  ];
  return [
    tag,
    ...backends.map(({ name, site }): Write => [
      `INSERT INTO ${keyspace}.backends (id, site_id, host, status, load_factor)
           VALUES (?, ?, ?, 'online', 100) USING TIMESTAMP ${LONG_AGO_MICROS}`,
      [labId(name), labId(site), name],
    ]),
  ];
}

function featureWrites(keyspace: string): Write[] {
  return ENABLED_FEATURES.map((feature) => [
    `INSERT INTO ${keyspace}.cluster_settings (scope, target, name, value)
       VALUES ('global', ?, ?, 'enabled') USING TIMESTAMP ${LONG_AGO_MICROS}`,
    [GLOBAL_TARGET, feature],
  ]);
}

function userWrites(users: readonly SeedUser[], keyspace: string): Write[] {
  return users.map(({ username, host }) => [
    `INSERT INTO ${keyspace}.users (username, backend_id) VALUES (?, ?)
       USING TIMESTAMP ${LONG_AGO_MICROS}`,
    [username, labId(host)],
  ]);
}

async function writeAll(client: cassandra.Client, writes: readonly Write[]): Promise<void> {
  const waiting = writes.values();
  const work = async () => {
    for (const write of waiting) await writeOne(client, write);
  };
  await Promise.all(Array.from({ length: WRITES_AT_ONCE }, work));
}

async function writeOne(client: cassandra.Client, [query, params]: Write): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.execute(query, [...params]);
      return;
    } catch (error) {
      if (attempt === WRITE_ATTEMPTS) throw error;
      await pause(attempt * 500);
    }
  }
}
