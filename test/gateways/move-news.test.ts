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

it.each(['leaving', 'moved', 'stayed'] as const)(
  'takes no notice of old news (%s), as from a Backend that was frozen',
  async (state) => {
    const old = { atMs: Date.now() - FOR_GOOD.freshMs - 1 };
    const board = createMoveNewsBoard(FOR_GOOD);
    board.note([{ ...news(state, 'a', 'mail3'), ...old }]);
    expect(await board.homeOf('a')).toBeNull();
    board.note([news('moved', 'a', 'mail2'), { ...news(state, 'a', 'mail3'), ...old }]);
    expect((await board.homeOf('a'))?.host).toBe('mail2');
  },
);

it('says nothing that has become old while somebody waited for it', async () => {
  const board = createMoveNewsBoard({ ...FOR_GOOD, freshMs: 1_000 });
  board.note([{ ...news('moved', 'a', 'mail2'), atMs: Date.now() - 999 }]);
  await expect.poll(() => board.homeOf('a')).toBeNull();
});

it('keeps nobody whose time is over', async () => {
  const board = createMoveNewsBoard({ waitMs: 5, freshMs: 30 });
  board.note([news('leaving', 'a'), news('moved', 'b', 'mail2')]);
  expect(board.size).toBe(2);
  await expect.poll(() => board.size).toBe(0);
});
