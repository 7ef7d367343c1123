import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGeodb } from '../../gateways/geodb/cassandra-geodb.ts';
import type { Geodb } from '../../gateways/geodb/geodb.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import { namesWithTables } from '../../gateways/geodb/names.ts';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';
import { cql, dropAndClose, logger, openSession, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const keyspace = config.cassandra.geodbKeyspace;
const siteId = randomUUID();
const full = randomUUID();
const other = randomUUID();
let session: CassandraSession;
let geodb: Geodb;

const insertBackend = cql(
  keyspace,
  'backends',
  'INSERT INTO {ks}.backends (id, site_id, host, status, load_factor) VALUES (?, ?, ?, ?, ?)',
);

async function write(table: string, text: string, params: unknown[] = []): Promise<void> {
  await session.write('test', cql(keyspace, table, text), params);
}

beforeAll(async () => {
  await initGeodb(config, logger);
  session = openSession(config);
  geodb = createGeodb(session, keyspace);
});

afterAll(async () => {
  await dropAndClose(session, keyspace);
});

describe('geodb: sites and Backends', () => {
  const backendId = randomUUID();

  beforeAll(async () => {
    await write('sites', 'INSERT INTO {ks}.sites (id, name, status) VALUES (?, ?, ?)', [
      siteId,
      'north',
      'online',
    ]);
    await session.write('test', insertBackend, [backendId, siteId, 'mail1', 'online', 80]);
    await session.write('test', insertBackend, [randomUUID(), randomUUID(), 'far1', 'online', 100]);
    await session.write('test', insertBackend, [randomUUID(), siteId, 'odd1', 'molten', 300]);
    await write('backends', 'INSERT INTO {ks}.backends (id, status) VALUES (?, ?)', [
      randomUUID(),
      'online',
    ]);
  });

  it('reads sites', async () => {
    expect(await geodb.readSites()).toEqual([
      { id: siteId, name: 'north', status: 'online', loadBalancer: null, tag: null },
    ]);
  });

  it('reads the Backends of a site, half-written rows left out, unknown words as standby', async () => {
    const backends = await geodb.readBackends(siteId);
    expect(
      backends.map(({ host, status, loadFactor }) => [host, status, loadFactor]).sort(),
    ).toEqual([
      ['mail1', 'online', 80],
      ['odd1', 'standby', 100],
    ]);
    expect(await geodb.readBackends()).toHaveLength(3);
  });

  it('changes a status only where it is still the one that was read', async () => {
    const before = await geodb.readBackend(backendId);
    expect(await geodb.changeStatusDirectly(backendId, 'standby', 'offline')).toBe(false);
    expect(await geodb.changeStatusDirectly(backendId, 'online', 'offline')).toBe(true);
    const after = await geodb.readBackend(backendId);
    expect(after?.status).toBe('offline');
    expect(after?.statusWrittenAtMicros ?? 0).toBeGreaterThan(before?.statusWrittenAtMicros ?? 0);
  });

  it('knows no Backend that is not there', async () => {
    expect(await geodb.readBackend(randomUUID())).toBeNull();
  });

  it('reads what sites measured of each other', async () => {
    const far = randomUUID();
    await write(
      'site_reachability',
      'INSERT INTO {ks}.site_reachability (src_site_id, dest_site_id, reachable, checked_at) VALUES (?, ?, ?, ?)',
      [siteId, far, 1, new Date(1_700_000_000_000)],
    );
    expect(await geodb.readSiteReachability()).toEqual([
      {
        sourceSiteId: siteId,
        targetSiteId: far,
        isReachable: true,
        checkedAtMs: 1_700_000_000_000,
      },
    ]);
  });
});

describe('geodb: feature flags', () => {
  it('writes, reads in every spelling and removes', async () => {
    const flag = { level: 'global', targetId: GLOBAL_TARGET, feature: 'MetricsExport' } as const;
    await geodb.writeFeature({ ...flag, state: 'dryRun' });
    await write(
      'cluster_settings',
      'INSERT INTO {ks}.cluster_settings (scope, target, name, value) VALUES (?, ?, ?, ?)',
      ['site', siteId, 'BackendLoadBalancing', 'DRY_RUN'],
    );
    const rows = await geodb.readFeatureRows();
    expect(rows).toContainEqual({ ...flag, state: 'dryRun' });
    expect(rows).toContainEqual({
      level: 'site',
      targetId: siteId,
      feature: 'BackendLoadBalancing',
      state: 'dryRun',
    });
    await geodb.writeFeature({ ...flag, state: null });
    expect((await geodb.readFeatureRows())?.some(({ level }) => level === 'global')).toBe(false);
  });

  it('takes a state that nobody knows for disabled', async () => {
    await write(
      'cluster_settings',
      'INSERT INTO {ks}.cluster_settings (scope, target, name, value) VALUES (?, ?, ?, ?)',
      ['backend', other, 'BackendHealthAutoHandling', 'perhaps'],
    );
    expect(await geodb.readFeatureRows()).toContainEqual({
      level: 'backend',
      targetId: other,
      feature: 'BackendHealthAutoHandling',
      state: 'disabled',
    });
  });

  it('keeps new users off a Backend without making a flag of it', async () => {
    const read = async (): Promise<unknown> =>
      session.readOne(
        'test',
        cql(
          keyspace,
          'cluster_settings',
          `SELECT value FROM {ks}.cluster_settings WHERE scope = 'backend' AND target = ? AND name = 'accept_new_users'`,
        ),
        [full],
      );
    await geodb.setAcceptNewUsers(full, false);
    expect(await read()).toMatchObject({ value: 'no' });
    expect((await geodb.readFeatureRows())?.some(({ targetId }) => targetId === full)).toBe(false);
    await geodb.setAcceptNewUsers(full, true);
    expect(await read()).toBeNull();
  });
});

describe('geodb: who owns a site', () => {
  it('is claimed once, and taken over with a higher epoch', async () => {
    expect(await geodb.readOwner('east')).toBeNull();
    const claims = await Promise.all(
      ['a/default', 'b/default', 'c/default'].map((owner) => geodb.claimIfFree('east', owner)),
    );
    expect(new Set(claims.map(({ owner }) => owner)).size).toBe(1);
    const taken = await geodb.claim('east', 'd/default');
    expect(taken).toEqual({ owner: 'd/default', epoch: 2 });
    expect(await geodb.claimIfFree('east', 'a/default')).toEqual(taken);
    expect(await geodb.readOwner('east')).toEqual(taken);
  });

  it('raises the epoch for each of several claims at the same time', async () => {
    const claims = await Promise.all(
      ['a', 'b', 'c'].map((owner) => geodb.claim('west', `${owner}/default`)),
    );
    expect(new Set(claims.map(({ epoch }) => epoch)).size).toBe(3);
  });
});

describe('geodb: tables that have other names', () => {
  it('are made, read and written under the names of CASSANDRA_GEODB_TABLES', async () => {
    const renamed = rigConfig({
      CASSANDRA_GEODB_TABLES: 'sites=palomar_sites,users=palomar_users,cluster_settings=settings',
    });
    const { geodbKeyspace: own, geodbTables } = renamed.cassandra;
    await initGeodb(renamed, logger);
    const ownSession = openSession(renamed);
    const named = createGeodb(ownSession, own, namesWithTables(geodbTables));
    const insert = (table: string, text: string, params: unknown[]) =>
      ownSession.write('test', cql(own, table, text), params);
    const values = '(id, name, status) VALUES (?, ?, ?)';
    await insert('palomar_sites', `INSERT INTO {ks}.palomar_sites ${values}`, [
      siteId,
      'north',
      'online',
    ]);
    const user = 'INSERT INTO {ks}.palomar_users (username, backend_id) VALUES (?, ?)';
    await insert('palomar_users', user, ['ann', full]);
    expect(await named.readSites()).toMatchObject([{ name: 'north' }]);
    expect(await named.countUsers(full)).toBe(1);
    const flag = { level: 'site', targetId: siteId, feature: 'MetricsExport' } as const;
    await named.writeFeature({ ...flag, state: 'dryRun' });
    expect(await named.readFeatureRows()).toEqual([{ ...flag, state: 'dryRun' }]);
    await dropAndClose(ownSession, own);
  });
});
