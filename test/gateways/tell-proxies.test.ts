/** News goes to every proxy, in order; one that is dead or busy holds up nobody. */
import { expect, it } from 'vitest';
import type { MoveNews } from '../../lab/mail/cluster-service/move-news.ts';
import { createProxyTeller } from '../../lab/mail/cluster-service/tell-proxies.ts';
import { eventually } from '../support/eventually.ts';
import { playHttp } from '../support/played-http.ts';

/** The cluster service of a proxy; `frozen`: it takes the first request and says nothing. */
const startProxy = (how: 'well' | 'frozen' = 'well') =>
  playHttp<MoveNews[]>((requests) => (how === 'well' || requests > 1 ? '' : null));

const leaving = (...users: string[]): MoveNews => ({
  ...{ state: 'leaving', users, target: null, atMs: Date.now() },
});
const namesOf = (news: readonly MoveNews[]) => news.flatMap(({ users }) => users);

it('tells every proxy, and is not held up by one that is dead', async () => {
  const [dead, ...proxies] = await Promise.all([startProxy(), startProxy(), startProxy()]);
  dead.close();
  const tell = createProxyTeller([dead, ...proxies], 'key');
  tell(leaving('a'));
  tell(leaving('b'));
  for (const { asked } of proxies) {
    await eventually('both are told of', () => namesOf(asked.flat()).length === 2);
    expect(namesOf(asked.flat())).toEqual(['a', 'b']);
  }
});

it('tells what came while a request ran with the next one, in order, and nothing of nobody', async () => {
  const proxy = await startProxy();
  const tell = createProxyTeller([proxy], 'key');
  for (const name of ['a', 'b', 'c']) tell(leaving(name));
  tell(leaving());
  await eventually('all are told of', () => namesOf(proxy.asked.flat()).length === 3);
  expect(proxy.asked.map(namesOf)).toEqual([['a'], ['b', 'c']]);
});

it('gives up a request to a frozen proxy, and what has become old meanwhile', async () => {
  const [frozen, well] = await Promise.all([startProxy('frozen'), startProxy()]);
  const tell = createProxyTeller([frozen, well], 'key');
  tell(leaving('a'));
  tell({ ...leaving('old'), atMs: Date.now() - 10_000 });
  tell(leaving('b'));
  await eventually('the frozen one is told of the rest', () => frozen.asked.length === 2);
  expect(frozen.asked.map(namesOf)).toEqual([['a'], ['b']]);
  expect(namesOf(well.asked.flat())).toEqual(['a', 'b']);
});
