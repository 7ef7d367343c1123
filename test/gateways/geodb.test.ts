import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGeodb } from '../../gateways/geodb/cassandra-geodb.ts';
import type { Geodb } from '../../gateways/geodb/geodb.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';
import { cql, dropAndClose, failureOf, logger, openSession, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const keyspace = config.cassandra.geodbKeyspace;
const siteId = randomUUID();
const full = randomUUID();
const other = randomUUID();
const USERS = 1234;
let session: CassandraSession;
let geodb: Geodb;

const insertUser = cql(
  keyspace,
  'users',
  'INSERT INTO {ks}.users (username, backend_id) VALUES (?, ?)',
);
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
  await session.writeMany(
    'test',
    Array.from({ length: USERS }, (_, index) => ({
      statement: insertUser,
      params: [`user${index}@example.com`, index < 1100 ? full : other],
    })),
  );
});

afterAll(async () => {
  await dropAndClose(session, keyspace);
});

describe('geodb: users', () => {
  it('can be initialised again without harm', async () => {
    await initGeodb(config, logger);
    expect(await geodb.countUsers(full)).toBe(1100);
  });

  it('counts the users of one Backend and of all', async () => {
    expect(await geodb.countUsers(full)).toBe(1100);
    expect(await geodb.countUsers(randomUUID())).toBe(0);
    expect(await geodb.countAllUsers()).toEqual(
      new Map([
        [full, 1100],
        [other, 134],
      ]),
    );
  });

  it('pages the users of a Backend: each once, and a cursor that another process can use', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    const pages: number[] = [];
    do {
      const page = await createGeodb(session, keyspace).pageUsers(full, { limit: 400, cursor });
      seen.push(...page.users.map(({ username }) => username));
      pages.push(page.users.length);
      cursor = page.cursor;
    } while (cursor !== null);
    expect(pages).toEqual([400, 400, 300]);
    expect(new Set(seen).size).toBe(1100);
  });

  it('gives no page of more than 1000 users', async () => {
    const page = await geodb.pageUsers(full, { limit: 5000, cursor: null });
    expect(page.users).toHaveLength(1000);
    expect(page.cursor).not.toBeNull();
  });

  it('keeps the place of a page while users move away', async () => {
    const backendId = randomUUID();
    const names = Array.from({ length: 60 }, (_, index) => `leaving${index}`);
    for (const name of names) {
      await session.write('test', insertUser, [name, backendId]);
    }
    const first = await geodb.pageUsers(backendId, { limit: 20, cursor: null });
    for (const { username } of first.users) {
      await session.write('test', insertUser, [username, randomUUID()]);
    }
    const second = await geodb.pageUsers(backendId, { limit: 100, cursor: first.cursor });
    expect(second.users).toHaveLength(40);
    expect(second.cursor).toBeNull();
  });

  it('refuses a cursor that is none', async () => {
    const error = await failureOf(geodb.pageUsers(full, { limit: 10, cursor: "1; drop 'x'" }));
    expect(error).toMatchObject({ code: 'InvalidArgument', subject: 'cursor', isTemporary: false });
  });

  it('refuses an id that is no uuid', async () => {
    const error = await failureOf(geodb.countUsers('not-a-uuid'));
    expect(error).toMatchObject({ code: 'InvalidArgument', isTemporary: false });
  });

  it('reads homes by name with their write time, and leaves out who is unknown', async () => {
    const beforeMicros = Date.now() * 1000;
    await write('users', 'UPDATE {ks}.users SET backend_id = ? WHERE username = ?', [
      full,
      'fresh',
    ]);
    const homes = await geodb.readUsers(['fresh', 'user1@example.com', 'nobody']);
    expect([...homes.keys()].sort()).toEqual(['fresh', 'user1@example.com']);
    expect(homes.get('fresh')?.homeWrittenAtMicros).toBeGreaterThanOrEqual(
      beforeMicros - 1_000_000,
    );
    expect(await geodb.readUser('nobody')).toBeNull();
  });

  it('finds the users that are being moved', async () => {
    await write(
      'users',
      'UPDATE {ks}.users SET moving = ?, alt_backend_id = ? WHERE username = ?',
      ['some/token', other, 'user3@example.com'],
    );
    const moving = await geodb.readMovingUsers(10);
    expect(moving.map(({ username }) => username)).toEqual(['user3@example.com']);
    expect(moving[0]).toMatchObject({ isMoving: true, altBackendId: other, backendId: full });
    await write('users', 'UPDATE {ks}.users SET moving = null WHERE username = ?', [
      'user3@example.com',
    ]);
    expect(await geodb.readMovingUsers(10)).toEqual([]);
  });
});

describe('geodb: forced homes', () => {
  it('writes home, former home and time, and ends the move', async () => {
    const username = 'forced1';
    await write('users', 'INSERT INTO {ks}.users (username, backend_id, moving) VALUES (?, ?, ?)', [
      username,
      full,
      'token',
    ]);
    const timestampMicros = Date.now() * 1000 + 5_000_000;
    await geodb.forceHomes([{ username, sourceId: full, targetId: other, timestampMicros }]);
    expect(await geodb.readUser(username)).toEqual({
      username,
      backendId: other,
      altBackendId: full,
      isMoving: false,
      lastMovedMs: Math.floor(timestampMicros / 1000),
      homeWrittenAtMicros: timestampMicros,
    });
  });

  it('loses against a newer write, and wins against an older one that comes late', async () => {
    const username = 'forced2';
    const nowMicros = Date.now() * 1000;
    const force = (targetId: string, timestampMicros: number): Promise<void> =>
      geodb.forceHomes([{ username, sourceId: full, targetId, timestampMicros }]);
    await force(other, nowMicros + 2);
    await force(full, nowMicros + 1);
    expect((await geodb.readUser(username))?.backendId).toBe(other);
    await force(full, nowMicros + 3);
    expect((await geodb.readUser(username))?.backendId).toBe(full);
  });
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

describe('geodb of somebody else', () => {
  const bare = rigConfig();
  const bareKeyspace = bare.cassandra.geodbKeyspace;
  let bareSession: CassandraSession;
  let bareGeodb: Geodb;

  beforeAll(async () => {
    bareSession = openSession(bare);
    bareGeodb = createGeodb(bareSession, bareKeyspace);
    await bareSession.executeSchema(
      'test',
      `CREATE KEYSPACE ${bareKeyspace} WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}`,
    );
  });

  afterAll(async () => {
    await dropAndClose(bareSession, bareKeyspace);
  });

  it('names the table that is missing', async () => {
    const error = await failureOf(bareGeodb.countAllUsers());
    expect(error).toMatchObject({ system: 'cassandra', code: 'MissingTable', subject: 'users' });
    expect(error.message).toContain(`${bareKeyspace}.users`);
  });

  it('names the table where the keyspace itself is missing', async () => {
    const error = await failureOf(createGeodb(bareSession, 'no_such_keyspace').readSites());
    expect(error).toMatchObject({ code: 'MissingTable', subject: 'sites' });
  });

  it('has no flags at all where there is no settings table', async () => {
    expect(await bareGeodb.readFeatureRows()).toBeNull();
  });

  it('names a column that is missing as a wrong argument, not as a missing table', async () => {
    await bareSession.executeSchema(
      'test',
      `CREATE TABLE ${bareKeyspace}.sites (id uuid PRIMARY KEY)`,
    );
    const error = await failureOf(bareGeodb.readSites());
    expect(error).toMatchObject({ code: 'InvalidArgument', subject: 'sites' });
  });

  it('works without our indexes, by scanning', async () => {
    await bareSession.executeSchema(
      'test',
      `CREATE TABLE ${bareKeyspace}.users (username text PRIMARY KEY, backend_id uuid,
         alt_backend_id uuid, moving text, last_moved timestamp)`,
    );
    const statement = cql(
      bareKeyspace,
      'users',
      'INSERT INTO {ks}.users (username, backend_id, moving) VALUES (?, ?, ?)',
    );
    for (let index = 0; index < 90; index++) {
      const home = index % 3 === 0 ? full : other;
      const params = [`u${index}`, home, index === 7 ? 'token' : null];
      await bareSession.write('test', statement, params);
    }
    expect(await bareGeodb.countUsers(full)).toBe(30);
    const first = await bareGeodb.pageUsers(full, { limit: 20, cursor: null });
    const second = await bareGeodb.pageUsers(full, { limit: 20, cursor: first.cursor });
    const names = [...first.users, ...second.users].map(({ username }) => username);
    expect(new Set(names).size).toBe(30);
    expect(second.cursor).toBeNull();
    expect((await bareGeodb.readMovingUsers(5)).map(({ username }) => username)).toEqual(['u7']);
  });
});
