import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGeodb } from '../../gateways/geodb/cassandra-geodb.ts';
import type { Geodb } from '../../gateways/geodb/geodb.ts';
import { initGeodb } from '../../gateways/geodb/init.ts';
import type { CassandraSession } from '../../gateways/cassandra-session.ts';
import { cql, dropAndClose, failureOf, logger, openSession, rigConfig } from './gateway-rig.ts';

const config = rigConfig();
const keyspace = config.cassandra.geodbKeyspace;
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
    for (const isHurried of [true, false]) {
      expect(await geodb.countAllUsers({ isHurried })).toEqual(
        new Map([
          [full, 1100],
          [other, 134],
        ]),
      );
    }
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
