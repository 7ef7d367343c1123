/** Sessions are cut at every proxy; one that is dead or frozen holds up nobody for long. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { createSessionCutter } from '../../lab/mail/cluster-service/cut-sessions.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** The doveadm of a proxy; `answer` null: it takes the request and says nothing. */
async function startProxy(answer: unknown) {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      asked.push(JSON.parse(body));
      if (answer !== null) response.end(JSON.stringify([answer]));
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port, asked };
}

const OPTIONS = { host: 'mail1', apiKey: 'key' };
const DONE = ['doveadmResponse', [{ count: '2' }], 't'];
const NOBODY = ['error', { type: 'exitCode', exitCode: 68 }, 't'];

it('asks every proxy for all of them at once', async () => {
  const proxies = await Promise.all([startProxy(DONE), startProxy(NOBODY)]);
  expect(await createSessionCutter(proxies, OPTIONS)(['a', 'b'])).toBe(true);
  const command = [['proxyKick', { passdbField: 'user_home', user: ['a mail1', 'b mail1'] }, 't']];
  expect(proxies.map(({ asked }) => asked)).toEqual([[command], [command]]);
});

it('asks a proxy that is busy once for all who came meanwhile', async () => {
  const proxy = await startProxy(DONE);
  const cut = createSessionCutter([proxy], OPTIONS);
  await Promise.all([cut(['a']), cut(['b']), cut(['c', 'd'])]);
  const users = proxy.asked.map((body) => (body as [[string, { user: string[] }]])[0][1].user);
  expect(users).toEqual([['a mail1'], ['b mail1', 'c mail1', 'd mail1']]);
});

it('goes on when a proxy is dead, refuses, or is frozen', async () => {
  const [well, frozen, refusing, dead] = await Promise.all([
    startProxy(DONE),
    startProxy(null),
    startProxy(['error', { type: 'exitCode', exitCode: 75 }, 't']),
    startProxy(DONE),
  ]);
  servers.pop()?.close();
  const proxies = [refusing, dead, well];
  expect(await createSessionCutter(proxies, OPTIONS)(['a'])).toBe(true);
  expect(await createSessionCutter([...proxies, frozen], OPTIONS)(['a'])).toBe(false);
  expect(well.asked).toHaveLength(2);
  expect(frozen.asked).toHaveLength(1);
});
