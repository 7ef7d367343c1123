/** Questions to the GeoDB that come in a crowd. */
import { afterEach, expect, test, vi } from 'vitest';
import { createJointAsker } from '../../lab/mail/cluster-service/ask-together.ts';

interface Request {
  readonly keys: readonly string[];
  answer(): void;
  fail(): void;
}

/** Something that knows `k1`, `k2`, ... and nothing else, and answers when it is told. */
function openBooks() {
  const requests: Request[] = [];
  const send = (keys: readonly string[]) =>
    new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      const known = keys.filter((key) => key.startsWith('k'));
      requests.push({
        keys,
        answer: () => resolve(new Map(known.map((key) => [key, `home of ${key}`]))),
        fail: () => reject(new Error('silent')),
      });
    });
  const ask = createJointAsker(async (key) => (await send([key])).get(key) ?? null, send);
  return { ask, requests };
}

/** Everything that can happen without an answer has happened. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const keysOf = (requests: readonly Request[]) => requests.map(({ keys }) => keys);

afterEach(() => {
  vi.useRealTimers();
});

test('who comes alone is asked for alone, and waits for nobody', async () => {
  const { ask, requests } = openBooks();
  const known = ask('k1');
  expect(keysOf(requests)).toEqual([['k1']]);
  requests[0]?.answer();
  expect(await known).toBe('home of k1');
  const unknown = ask('nobody');
  requests[1]?.answer();
  expect(await unknown).toBe(null);
});

test('whoever comes while two requests are on their way goes into the next one', async () => {
  const { ask, requests } = openBooks();
  const answers = ['k1', 'k2', 'k3', 'nobody', 'k4'].map(ask);
  expect(keysOf(requests)).toEqual([['k1'], ['k2']]);
  requests[1]?.answer();
  await settle();
  expect(keysOf(requests).slice(2)).toEqual([['k3', 'nobody', 'k4']]);
  requests[0]?.answer();
  requests[2]?.answer();
  expect(await Promise.all(answers)).toEqual([
    'home of k1',
    'home of k2',
    'home of k3',
    null,
    'home of k4',
  ]);
});

test('no answer is older than its question, also where the same was asked before', async () => {
  const { ask, requests } = openBooks();
  const first = ask('k1');
  const other = ask('k2');
  const again = [ask('k1'), ask('k1')];
  requests[0]?.answer();
  await settle();
  expect(keysOf(requests)).toEqual([['k1'], ['k2'], ['k1']]);
  requests[1]?.answer();
  requests[2]?.answer();
  expect(await Promise.all([first, other, ...again])).toHaveLength(4);
});

test('a request that fails fails its own questions, and no others', async () => {
  const { ask, requests } = openBooks();
  const [lost, kept, late] = ['k1', 'k2', 'k3'].map((key) => ask(key).catch(() => 'failed'));
  requests[0]?.fail();
  await settle();
  requests[1]?.answer();
  requests[2]?.answer();
  expect(await Promise.all([lost, kept, late])).toEqual(['failed', 'home of k2', 'home of k3']);
});

test('one request that fails, with several in it, fails all of them', async () => {
  const { ask, requests } = openBooks();
  const answers = ['k1', 'k2', 'k3', 'k4', 'k3'].map((key) => ask(key).catch(() => 'failed'));
  requests[0]?.answer();
  await settle();
  expect(keysOf(requests).at(-1)).toEqual(['k3', 'k4']);
  requests[1]?.answer();
  requests[2]?.fail();
  expect(await Promise.all(answers)).toEqual([
    'home of k1',
    'home of k2',
    'failed',
    'failed',
    'failed',
  ]);
});

test('requests that are late hold nobody up', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { ask, requests } = openBooks();
  void ask('k1');
  void ask('k2');
  vi.advanceTimersByTime(40);
  const third = ask('k3');
  expect(keysOf(requests)).toEqual([['k1'], ['k2']]);
  vi.advanceTimersByTime(20);
  const fourth = ask('k4');
  expect(keysOf(requests).slice(2)).toEqual([['k3', 'k4']]);
  requests[2]?.answer();
  expect(await Promise.all([third, fourth])).toEqual(['home of k3', 'home of k4']);
});

test('what nobody waits for any more is not asked', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { ask, requests } = openBooks();
  void ask('k1');
  void ask('k2');
  const late = ask('k3').catch((error: unknown) => (error as Error).message);
  vi.advanceTimersByTime(2_001);
  requests[0]?.answer();
  await settle();
  expect(await late).toBe('waited too long to be asked');
  expect(keysOf(requests)).toEqual([['k1'], ['k2']]);
});

test('a crowd is asked for in parts', async () => {
  const { ask, requests } = openBooks();
  const names = Array.from({ length: 62 }, (_, index) => `k${index}`);
  const answers = names.map(ask);
  for (let at = 0; at < 5; at += 1) {
    requests[at]?.answer();
    await settle();
  }
  expect(keysOf(requests).map((keys) => keys.length)).toEqual([1, 1, 25, 25, 10]);
  expect(await Promise.all(answers)).toEqual(names.map((name) => `home of ${name}`));
});
