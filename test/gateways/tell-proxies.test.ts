/** News goes to every proxy, in order; one that is dead or busy holds up nobody. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import type { MoveNews } from '../../lab/mail/cluster-service/move-news.ts';
import { createProxyTeller } from '../../lab/mail/cluster-service/tell-proxies.ts';
import { eventually } from '../support/eventually.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** The cluster service of a proxy; `frozen`: it takes the first request and says nothing. */
async function startProxy(how: 'well' | 'frozen' = 'well') {
  const heard: MoveNews[][] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push(JSON.parse(body) as MoveNews[]);
      if (how === 'well' || heard.length > 1) response.writeHead(204).end();
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port, heard };
}

const leaving = (...users: string[]): MoveNews => ({
  ...{ state: 'leaving', users, target: null, atMs: Date.now() },
});
const namesOf = (heard: readonly MoveNews[]) => heard.flatMap(({ users }) => users);

it('tells every proxy, and is not held up by one that is dead', async () => {
  const [dead, ...proxies] = await Promise.all([startProxy(), startProxy(), startProxy()]);
  servers.shift()?.close();
  const tell = createProxyTeller([dead, ...proxies], 'key');
  tell(leaving('a'));
  tell(leaving('b'));
  for (const { heard } of proxies) {
    await eventually('both are told of', () => namesOf(heard.flat()).length === 2);
    expect(namesOf(heard.flat())).toEqual(['a', 'b']);
  }
});

it('tells what came while a request ran with the next one, in order, and nothing of nobody', async () => {
  const proxy = await startProxy();
  const tell = createProxyTeller([proxy], 'key');
  for (const name of ['a', 'b', 'c']) tell(leaving(name));
  tell(leaving());
  await eventually('all are told of', () => namesOf(proxy.heard.flat()).length === 3);
  expect(proxy.heard.map(namesOf)).toEqual([['a'], ['b', 'c']]);
});

it('gives up a request to a frozen proxy, and what has become old meanwhile', async () => {
  const [frozen, well] = await Promise.all([startProxy('frozen'), startProxy()]);
  const tell = createProxyTeller([frozen, well], 'key');
  tell(leaving('a'));
  tell({ ...leaving('old'), atMs: Date.now() - 10_000 });
  tell(leaving('b'));
  await eventually('the frozen one is told of the rest', () => frozen.heard.length === 2);
  expect(frozen.heard.map(namesOf)).toEqual([['a'], ['b']]);
  expect(namesOf(well.heard.flat())).toEqual(['a', 'b']);
});
