/** What a proxy makes of the news that Backends tell it of their moves. */
import { expect, it } from 'vitest';
import { createMoveNewsBoard, type MoveNews } from '../../lab/mail/cluster-service/move-news.ts';

/** Longer than any test: nothing is forgotten. */
const FOR_GOOD = { waitMs: 600_000, freshMs: 600_000 };

const news = (state: MoveNews['state'], user: string, target: string | null = null): MoveNews => ({
  ...{ state, users: [user], target, atMs: Date.now() },
});

it('knows nothing of whoever was not spoken of', async () => {
  const board = createMoveNewsBoard(FOR_GOOD);
  board.note([news('moved', 'a', 'mail2')]);
  expect(await board.homeOf('b')).toBeNull();
});

it('waits for whoever is leaving, and tells all that wait', async () => {
  const board = createMoveNewsBoard(FOR_GOOD);
  board.note([news('leaving', 'a')]);
  const waiting = [board.homeOf('a'), board.homeOf('a')];
  const moved = news('moved', 'a', 'mail2');
  board.note([moved]);
  const home = { host: 'mail2', atMs: moved.atMs };
  expect(await Promise.all(waiting)).toEqual([home, home]);
  expect(await board.homeOf('a')).toEqual(home);
});

it('waits no longer for whoever stays', async () => {
  const board = createMoveNewsBoard(FOR_GOOD);
  board.note([news('leaving', 'a')]);
  const waiting = board.homeOf('a');
  board.note([news('stayed', 'a')]);
  expect(await waiting).toBeNull();
  expect(await board.homeOf('a')).toBeNull();
});

it('waits for a while only: the Backend may be dead', async () => {
  const board = createMoveNewsBoard({ ...FOR_GOOD, waitMs: 5 });
  board.note([news('leaving', 'a')]);
  expect(await board.homeOf('a')).toBeNull();
});

it('takes the newest news, also of whoever leaves again', async () => {
  const board = createMoveNewsBoard(FOR_GOOD);
  board.note([news('moved', 'a', 'mail2'), news('leaving', 'a'), news('moved', 'a', 'mail3')]);
  expect((await board.homeOf('a'))?.host).toBe('mail3');
});

it('believes nothing old, as from a Backend that was frozen', async () => {
  const board = createMoveNewsBoard({ ...FOR_GOOD, freshMs: 1_000 });
  board.note([news('leaving', 'a')]);
  const waiting = board.homeOf('a');
  board.note([{ ...news('moved', 'a', 'mail2'), atMs: Date.now() - 1_001 }]);
  expect(await waiting).toBeNull();
});

it('forgets what has become old', async () => {
  const board = createMoveNewsBoard({ ...FOR_GOOD, freshMs: 5 });
  const { atMs, ...moved } = news('moved', 'a', 'mail2');
  board.note([{ ...moved, atMs }]);
  await expect.poll(() => board.homeOf('a')).toBeNull();
});
