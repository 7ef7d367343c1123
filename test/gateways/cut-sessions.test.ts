/** Sessions are cut at every proxy; one that is dead or frozen holds up nobody for long. */
import { expect, it } from 'vitest';
import { createSessionCutter } from '../../lab/mail/cluster-service/cut-sessions.ts';
import { playHttp } from '../support/played-http.ts';

type Asked = [[string, { user: string[] }]];

/** The doveadm of a proxy; `answer` null: it takes the request and says nothing. */
const startProxy = (answer: unknown) =>
  playHttp<Asked>(() => (answer === null ? null : JSON.stringify([answer])));

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
  const users = proxy.asked.map(([[, { user }]]) => user);
  expect(users).toEqual([['a mail1'], ['b mail1', 'c mail1', 'd mail1']]);
});

it('goes on when a proxy is dead, refuses, or is frozen', async () => {
  const [well, frozen, refusing, dead] = await Promise.all([
    startProxy(DONE),
    startProxy(null),
    startProxy(['error', { type: 'exitCode', exitCode: 75 }, 't']),
    startProxy(DONE),
  ]);
  dead.close();
  const proxies = [refusing, dead, well];
  expect(await createSessionCutter(proxies, OPTIONS)(['a'])).toBe(true);
  expect(await createSessionCutter([...proxies, frozen], OPTIONS)(['a'])).toBe(false);
  expect(well.asked).toHaveLength(2);
  expect(frozen.asked).toHaveLength(1);
});
