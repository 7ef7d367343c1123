/** The lab's cluster service against the real Cassandra, with a Dovecot that the test plays. */
import cassandra from 'cassandra-driver';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { initGeodb } from '../../gateways/geodb/init.ts';
import { eventually } from '../support/eventually.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { testNet } from '../support/test-net.ts';
import { logger, rigConfig } from './gateway-rig.ts';
import {
  backendAddress,
  geodbAddress,
  memoryFileOf,
  startFakeDovecot,
  startService,
  type FakeDovecot,
  type ServiceRig,
} from './cluster-service-rig.ts';

const config = rigConfig();
const keyspace = config.cassandra.geodbKeyspace;
const infra = `127.${testNet()}.0.1`;
const ids = { north: randomUUID(), south: randomUUID() };
const backendIds: Record<string, string> = {
  ...{ mail1: randomUUID(), mail2: randomUUID(), mail3: randomUUID() },
};

let client: cassandra.Client;
let geodb: TcpProxy;
let dovecot: FakeDovecot;
let backend: ServiceRig;
let proxy: ServiceRig;

const run = (query: string, params: unknown[] = []) =>
  client.execute(query.replaceAll('{ks}', keyspace), params, { prepare: true });

async function addUser(username: string, host: string, micros = Date.now() * 1000) {
  await run('INSERT INTO {ks}.users (username, backend_id) VALUES (?, ?) USING TIMESTAMP ?', [
    ...[username, backendIds[host], String(micros)],
  ]);
}

async function readUser(username: string) {
  const { rows } = await run(
    'SELECT backend_id, alt_backend_id, moving, WRITETIME(backend_id) AS w FROM {ks}.users WHERE username = ?',
    [username],
  );
  const row = rows[0];
  const hostOf = (id: unknown) =>
    Object.keys(backendIds).find((host) => backendIds[host] === String(id)) ?? null;
  return row === undefined
    ? null
    : {
        home: hostOf(row['backend_id']),
        alt: hostOf(row['alt_backend_id']),
        moving: row['moving'] as string | null,
        micros: Number(row['w']),
      };
}

async function moveUsers(parameters: Record<string, unknown>) {
  const reply = await backend.doveadm.run('clusterUserBatchMove', parameters);
  return reply.kind === 'rows' ? reply.rows : reply;
}

async function createCluster() {
  await initGeodb(config, logger);
  client = new cassandra.Client({ contactPoints: [infra], localDataCenter: 'datacenter1' });
  for (const [name, loadBalancer] of [
    ['north', 'proxy1'],
    ['south', 'proxy2'],
  ] as const) {
    await run('INSERT INTO {ks}.sites (id, name, load_balancer, status) VALUES (?, ?, ?, ?)', [
      ...[ids[name], name, loadBalancer, 'online'],
    ]);
  }
  for (const [host, site] of [
    ['mail1', 'north'],
    ['mail2', 'north'],
    ['mail3', 'south'],
  ] as const) {
    const columns = 'id, site_id, host, status, load_factor';
    await run(`INSERT INTO {ks}.backends (${columns}) VALUES (?, ?, ?, 'online', 100)`, [
      ...[backendIds[host], ids[site], host],
    ]);
  }
}

beforeAll(async () => {
  await createCluster();
  await addUser('left-behind', 'mail1');
  await run("UPDATE {ks}.users SET moving = 'x' WHERE username = 'left-behind'");
  await addUser('foreigner', 'mail2');
  dovecot = await startFakeDovecot();
  dovecot.sessions.add('foreigner').add('left-behind');
  geodb = await startTcpProxy({ host: geodbAddress(), port: 9042 }, { host: infra, port: 9042 });
  backend = await startService('backend', { keyspace, dovecot, cassandra: infra });
  proxy = await startService('proxy', { keyspace, dovecot, cassandra: geodbAddress() });
  await eventually('the proxy knows the cluster', async () => {
    const { status } = await proxy.lookUp('probe-mail1');
    return status === 200;
  });
});

beforeEach(() => {
  dovecot.sessions.clear();
  dovecot.kicked.length = 0;
  dovecot.news.length = 0;
});

afterAll(async () => {
  await Promise.all([backend?.stop(), proxy?.stop()]);
  await dovecot?.close();
  await geodb?.close();
  await rm(memoryFileOf(keyspace), { force: true });
  await run('DROP KEYSPACE IF EXISTS {ks}');
  await client.shutdown();
});

/** As Dovecot does it: the question first, then the session. */
async function logIn(username: string): Promise<void> {
  expect((await backend.askWhere(username)).status).toBe(204);
  dovecot.sessions.add(username);
}

describe('the cluster service beside a Backend, when it starts', () => {
  it('drops moves that nobody owns any more and ends the sessions of foreigners', async () => {
    const user = await eventually('the move is dropped', async () => {
      const found = await readUser('left-behind');
      return found?.moving === null ? found : false;
    });
    expect(user.home).toBe('mail1');
    await eventually(
      'kicked',
      async () => !(await backend.doveadm.who()).some(({ username }) => username === 'foreigner'),
    );
  });
});

describe('clusterUserBatchMove', () => {
  it('writes the home with the timestamp of the attempt, and the log tells it', async () => {
    await addUser('a', 'mail1');
    const moveTimestamp = Date.now() * 1000 + 5000;
    const rows = await moveUsers({ user: ['a'], destHost: 'mail2', moveTimestamp });
    expect(rows).toEqual([{ user: 'a', result: 'moved' }]);
    const user = { home: 'mail2', alt: 'mail1', moving: null, micros: moveTimestamp + 1 };
    expect(await readUser('a')).toEqual(user);
    const changes = await eventually('logged', async () => {
      const found = (await backend.homeChanges()).filter((change) => change.user === 'a');
      return found.length > 0 && found;
    });
    expect(changes).toMatchObject([{ from: 'mail1', to: 'mail2', cause: 'batchMove' }]);
  });

  it('ends the sessions of the user first', async () => {
    await addUser('b', 'mail1');
    await logIn('b');
    expect(await moveUsers({ user: 'b', destHost: 'mail2' })).toEqual([
      { user: 'b', result: 'moved' },
    ]);
    expect(dovecot.kicked).toContain('b');
    expect(dovecot.sessions.has('b')).toBe(false);
  });

  it('lets only a few of those who have sessions leave at a time', async () => {
    const users = Array.from({ length: 6 }, (_, index) => `few-${index}`);
    for (const user of users) {
      await addUser(user, 'mail1');
      await logIn(user);
      dovecot.stubborn.add(user);
    }
    // 75 of a hundred, two of 32
    const moving = moveUsers({ user: users, destHost: 'mail2', maxParallel: 32 });
    await eventually('the first ones are cut', () => new Set(dovecot.kicked).size === 2);
    const marked = await Promise.all(users.map(async (user) => (await readUser(user))?.moving));
    expect(marked.filter((mark) => mark !== null)).toHaveLength(2);
    dovecot.stubborn.clear();
    const results = (await moving) as readonly Record<string, unknown>[];
    expect(results.map(({ result }) => result)).toEqual(users.map(() => 'moved'));
  });

  it('tells the proxies who leaves, and then where to', async () => {
    const users = ['told1', 'told2'];
    for (const user of users) await addUser(user, 'mail1');
    await Promise.all(users.map(logIn));
    const beganAtMs = Date.now();
    await moveUsers({ user: users, destHost: 'mail2' });
    const namesOf = (state: string) =>
      dovecot.news.filter((news) => news.state === state).flatMap((news) => news.users);
    await eventually('the proxy has heard all', () => namesOf('moved').length === 2);
    expect(namesOf('leaving').toSorted()).toEqual(users);
    expect(namesOf('moved').toSorted()).toEqual(users);
    for (const user of users) {
      const states = dovecot.news.filter(({ users: names }) => names.includes(user));
      expect(states.map(({ state, target }) => [state, target])).toEqual([
        ['leaving', null],
        ['moved', 'mail2'],
      ]);
    }
    for (const { atMs } of dovecot.news) expect(atMs).toBeGreaterThanOrEqual(beganAtMs);
  });

  it('does not tell of a move that a later order has overtaken', async () => {
    await addUser('twice', 'mail1');
    await logIn('twice');
    dovecot.stubborn.add('twice');
    const targetsOf = (state: string) =>
      dovecot.news.filter((news) => news.state === state).map(({ target }) => target);
    const moving = [];
    for (const destHost of ['mail2', 'mail3']) {
      moving.push(moveUsers({ user: ['twice'], destHost, maxParallel: 100 }));
      const begun = moving.length;
      await eventually('it is under way', () => targetsOf('leaving').length === begun);
    }
    dovecot.stubborn.clear();
    await Promise.all(moving);
    await eventually('the first one is over as well', () => targetsOf('stayed').length > 0);
    expect(targetsOf('moved')).toEqual(['mail3']);
    expect((await readUser('twice'))?.home).toBe('mail3');
  });

  it('does not tell of whoever a force-move rule may take elsewhere meanwhile', async () => {
    await addUser('ruled', 'mail1');
    await logIn('ruled');
    const rule = ['backend', backendIds['mail1'], 'x', 100, 'mail2'];
    const columns = 'scope, target, id, percentage, destinations';
    await run(`INSERT INTO {ks}.force_moves (${columns}) VALUES (?, ?, ?, ?, ?)`, rule);
    await moveUsers({ user: ['ruled'], destHost: 'mail3' });
    await run("DELETE FROM {ks}.force_moves WHERE scope = 'backend' AND target = ?", [rule[1]]);
    await eventually('the proxy has heard all', () => dovecot.news.length === 2);
    expect(dovecot.news.map(({ state }) => state)).toEqual(['leaving', 'stayed']);
    expect((await readUser('ruled'))?.home).toBe('mail3');
  });

  it('leaves a user where sessions do not end', async () => {
    await addUser('c', 'mail1');
    await logIn('c');
    dovecot.stubborn.add('c');
    const rows = await moveUsers({ user: ['c'], destHost: 'mail2' });
    expect(rows).toEqual([{ user: 'c', result: 'failed', error: 'sessions do not end' }]);
    expect(await readUser('c')).toMatchObject({ home: 'mail1', moving: null });
    const told = await eventually('the proxy has heard that he stays', () => {
      const states = dovecot.news.map(({ state }) => state);
      return states.at(-1) === 'stayed' && states;
    });
    expect(told).toEqual(['leaving', 'stayed']);
  });

  it('skips whoever lives elsewhere, is unknown, or was moved with a newer plan', async () => {
    await addUser('d', 'mail2');
    await addUser('e', 'mail1', Date.now() * 1000 + 60_000_000);
    const moveTimestamp = Date.now() * 1000;
    const rows = await moveUsers({ user: ['d', 'nobody', 'e'], destHost: 'mail2', moveTimestamp });
    const results = Object.fromEntries((rows as never[]).map(({ user, error }) => [user, error]));
    expect(results).toEqual({ d: 'lives elsewhere', nobody: 'unknown user', e: 'superseded' });
    expect(await readUser('e')).toMatchObject({ home: 'mail1', alt: null });
  });

  it('leaves users alone who were moved lately, if told so', async () => {
    await addUser('f', 'mail1');
    await run('UPDATE {ks}.users SET last_moved = ? WHERE username = ?', [new Date(), 'f']);
    const rows = await moveUsers({ user: ['f'], destHost: 'mail2', minLastMoved: 60 });
    expect(rows).toMatchObject([{ result: 'skipped', error: 'moved lately' }]);
  });

  it('refuses an unknown Backend and unknown parameters as doveadm does', async () => {
    const unknownHost = { kind: 'error', type: 'exitCode', exitCode: 68 };
    expect(await moveUsers({ user: ['a'], destHost: 'mail9' })).toEqual(unknownHost);
    const unknownParameter = { kind: 'error', type: 'invalidRequest', exitCode: 0 };
    expect(await moveUsers({ usr: ['a'], destHost: 'mail2' })).toEqual(unknownParameter);
  });

  it('runs nothing of a request that is malformed further on', async () => {
    await addUser('g', 'mail1');
    const good = '["clusterUserBatchMove",{"user":["g"],"destHost":"mail2"},"t"]';
    const answer = await backend.post(`[${good},["who"]]`);
    expect(answer).toMatchObject({ status: 400 });
    expect(await readUser('g')).toMatchObject({ home: 'mail1' });
  });
});

describe('a login that comes to a Backend', () => {
  it('is served without another question where the proxy asked a moment ago', async () => {
    await addUser('fresh', 'mail2');
    expect((await backend.askWhere('fresh', Date.now())).status).toBe(204);
  });

  it('is looked at where the proxy asked long ago, does not say when, or is ahead of time', async () => {
    await addUser('late', 'mail2');
    const passedOn = { status: 200, text: 'mail2 127.0.0.2' };
    for (const askedAtMs of [0, Date.now() - 60, Date.now() + 60_000]) {
      expect(await backend.askWhere('late', askedAtMs)).toEqual(passedOn);
    }
  });

  it('is looked at where this Backend moved him off, however fresh the answer of the proxy', async () => {
    await addUser('gone', 'mail1');
    expect((await backend.askWhere('gone', Date.now())).status).toBe(204);
    await moveUsers({ user: ['gone'], destHost: 'mail2' });
    expect((await backend.askWhere('gone', Date.now())).text).toBe('mail2 127.0.0.2');
  });

  it('is looked at where somebody ended his sessions here a moment ago', async () => {
    for (const command of ['kick', 'clusterKick']) {
      const user = command.toLowerCase();
      await addUser(user, 'mail2');
      const parameters = command === 'kick' ? { mask: [user] } : { user };
      await backend.doveadm.run(command, parameters);
      expect((await backend.askWhere(user, Date.now())).text).toBe('mail2 127.0.0.2');
    }
  });
});

describe('clusterBackendUpdate', () => {
  it('writes the status and ends a force move', async () => {
    const target = backendIds['mail2'];
    await run(
      "INSERT INTO {ks}.force_moves (scope, target, id, percentage, destinations) VALUES ('backend', ?, 'x', 10, 'mail1')",
      [target],
    );
    await backend.doveadm.run('clusterBackendUpdate', { host: 'mail2', status: 'standby' });
    const { rows } = await run('SELECT status FROM {ks}.backends WHERE id = ?', [target]);
    expect(rows[0]?.['status']).toBe('standby');
    expect((await run('SELECT id FROM {ks}.force_moves')).rows).toEqual([]);
    await backend.doveadm.run('clusterBackendUpdate', { host: 'mail2', status: 'online' });
  });
});

describe('the lookup of a proxy', () => {
  it('gives a new user one home, however many ask', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => proxy.lookUp('u77')));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(['mail1', 'mail2']).toContain((await readUser('u77'))?.home);
  });

  it('knows no stranger, and probe users have no row', async () => {
    expect((await proxy.lookUp('stranger')).status).toBe(404);
    expect((await proxy.lookUp('probe-mail2')).text).toBe('mail2 127.0.0.2');
    expect(await readUser('probe-mail2')).toBeNull();
  });

  it('says when it asked the GeoDB', async () => {
    await addUser('u66', 'mail2');
    const beganAtMs = Date.now();
    const { askedAtMs } = await proxy.lookUp('u66');
    expect(askedAtMs).toBeGreaterThanOrEqual(beganAtMs);
    expect(askedAtMs).toBeLessThanOrEqual(Date.now());
  });

  it('sends users of another site to its load balancer', async () => {
    await addUser('u88', 'mail3');
    expect((await proxy.lookUp('u88')).text).toBe('proxy2 127.0.0.9');
  });

  it('waits for the end of a move that is under way, and answers the new home', async () => {
    await addUser('u55', 'mail1');
    await logIn('u55');
    dovecot.stubborn.add('u55');
    const moving = moveUsers({ user: ['u55'], destHost: 'mail2' });
    await eventually('the move is under way', async () => (await readUser('u55'))?.moving !== null);
    const lookup = proxy.lookUp('u55');
    const early = await Promise.race([lookup, new Promise((resolve) => setTimeout(resolve, 200))]);
    expect(early).toBeUndefined();
    dovecot.stubborn.clear();
    expect((await lookup).text).toBe('mail2 127.0.0.2');
    expect(await moving).toEqual([{ user: 'u55', result: 'moved' }]);
  });

  it('answers the present home where a mark of a move has no owner', async () => {
    await addUser('u56', 'mail1');
    await run("UPDATE {ks}.users SET moving = 'x' WHERE username = 'u56'");
    expect((await proxy.lookUp('u56')).text).toBe(`mail1 ${backendAddress()}`);
  });

  it('sends whoever was just moved to his new home, without a question', async () => {
    await addUser('u57', 'mail1');
    const before = await proxy.readMetric('dovekeeper_lookup_by_news_total');
    const atMs = Date.now();
    expect(await proxy.tell([{ state: 'moved', users: ['u57'], target: 'mail2', atMs }])).toBe(204);
    const { text: first, askedAtMs } = await proxy.lookUp('u57');
    expect(first).toBe('mail2 127.0.0.2');
    expect(askedAtMs).toBeGreaterThanOrEqual(atMs);
    expect(await proxy.readMetric('dovekeeper_lookup_by_news_total')).toBe(before + 1);
    await eventually('the GeoDB is asked again', async () => {
      const { text } = await proxy.lookUp('u57');
      return text === `mail1 ${backendAddress()}`;
    });
  });

  it('believes nobody without the key, nothing that is old or no news, and no unknown Backend', async () => {
    await addUser('u58', 'mail1');
    const here = `mail1 ${backendAddress()}`;
    const news = () => ({ state: 'moved', users: ['u58'], target: 'mail2', atMs: Date.now() });
    const attempts: [news: unknown, status: number, apiKey?: string][] = [
      [[news()], 401, 'guessed'],
      [news(), 400],
      [[{ ...news(), users: 'u58' }], 400],
      [[{ ...news(), atMs: Date.now() - 60_000 }], 204],
      [[{ ...news(), target: 'elsewhere' }], 204],
    ];
    for (const [told, status, apiKey] of attempts) {
      expect(await proxy.tell(told, apiKey)).toBe(status);
      expect((await proxy.lookUp('u58')).text).toBe(here);
    }
    expect(await proxy.tell([news()])).toBe(204);
    expect((await proxy.lookUp('u58')).text).toBe('mail2 127.0.0.2');
  });

  it('sends whoever was just moved to another site to its load balancer', async () => {
    await addUser('u59', 'mail1');
    await proxy.tell([{ state: 'moved', users: ['u59'], target: 'mail3', atMs: Date.now() }]);
    expect((await proxy.lookUp('u59')).text).toBe('proxy2 127.0.0.9');
  });

  it('holds the login of whoever is leaving until it is told where to', async () => {
    await addUser('u60', 'mail1');
    const tell = (state: string, target: string | null) =>
      proxy.tell([{ state, users: ['u60'], target, atMs: Date.now() }]);
    await tell('leaving', null);
    const lookup = proxy.lookUp('u60');
    await tell('moved', 'mail2');
    expect((await lookup).text).toBe('mail2 127.0.0.2');
  });

  it('gives no new user to a Backend that takes none', async () => {
    const target = backendIds['mail1'];
    await run(
      "INSERT INTO {ks}.cluster_settings (scope, target, name, value) VALUES ('backend', ?, 'accept_new_users', 'no')",
      [target],
    );
    await eventually('the proxy has heard of it', async () => {
      const names = Array.from({ length: 6 }, () => `u${Math.floor(Math.random() * 1e9)}`);
      const answers = await Promise.all(names.map((name) => proxy.lookUp(name)));
      return answers.every(({ text }) => text.startsWith('mail2'));
    });
  });

  it('answers from memory while the GeoDB is silent', async () => {
    await addUser('u99', 'mail2');
    expect((await proxy.lookUp('u99')).text).toBe('mail2 127.0.0.2');
    await geodb.cut();
    const { text, askedAtMs } = await proxy.lookUp('u99');
    expect({ text, askedAtMs }).toEqual({ text: 'mail2 127.0.0.2', askedAtMs: 0 });
    expect((await proxy.lookUp('u12345')).status).toBe(503);
    await geodb.restore();
    await eventually('it asks again', async () => (await proxy.lookUp('u12345')).status === 200);
  });

  it('knows the last homes also when it is started while the GeoDB is silent', async () => {
    await addUser('u100', 'mail2');
    await rm(memoryFileOf(keyspace), { force: true });
    await proxy.stop();
    proxy = await startService('proxy', { keyspace, dovecot, cassandra: geodbAddress() });
    await eventually('written down', () => existsSync(memoryFileOf(keyspace)));
    await proxy.stop();
    await geodb.cut();
    proxy = await startService('proxy', { keyspace, dovecot, cassandra: geodbAddress() });
    expect((await proxy.lookUp('u100')).text).toBe('mail2 127.0.0.2');
    await geodb.restore();
  });
});
