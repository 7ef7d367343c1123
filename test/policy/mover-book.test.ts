import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MoverState } from '../../workflows/contract.ts';
import { OPERATION_STATES, canBecome } from '../../workflows/domain/operation.ts';
import {
  addMoved,
  addRound,
  become,
  nextStep,
  openBook,
  openRemaining,
  toRow,
  wantedLeft,
} from '../../workflows/mover/book.ts';
import { usersKnown } from '../../workflows/mover/known-users.ts';
import { emptyInbox } from '../../workflows/mover/inbox.ts';
import { NOW_MS } from '../support/cluster-builders.ts';
import { aMovedChunk, aRequest, aRound } from '../support/move-builders.ts';
import { holdsFor } from '../support/property.ts';

function running(originalCount: number, fields: Parameters<typeof aRequest>[0] = {}): MoverState {
  const begun = become(openBook(aRequest(fields), NOW_MS), 'running', null);
  return { ...begun, operation: { ...begun.operation, originalCount } };
}
const rowOf = (state: MoverState) => toRow(state, emptyInbox(), NOW_MS + 5);

describe('openBook', () => {
  it('opens an operation that is planned and has moved nobody', () => {
    const row = rowOf(openBook(aRequest(), NOW_MS));
    expect(row).toMatchObject({
      operationId: 'operation-1',
      state: 'planned',
      round: 0,
      counts: { planned: 0, confirmed: 0, skipped: 0, failed: 0, remaining: 0 },
      startedAtMs: null,
      endedAtMs: null,
      createdAtMs: NOW_MS,
      updatedAtMs: NOW_MS + 5,
    });
  });

  it('has the speed of the request, of the row it takes up, or full speed', () => {
    const speedOf = (fields: Parameters<typeof aRequest>[0]) =>
      openBook(aRequest(fields), NOW_MS).operation.speedPercent;
    const since = { createdAtMs: 1, startedAtMs: 2, originalCount: 3, pause: null };
    expect(speedOf({})).toBe(100);
    expect(speedOf({ speedPercent: 20 })).toBe(20);
    expect(speedOf({ speedPercent: 20, takenUp: { ...since, speedPercent: 60 } })).toBe(60);
  });
});

describe('become', () => {
  it('follows the one table of transitions, and allows staying', () => {
    for (const from of OPERATION_STATES) {
      for (const to of OPERATION_STATES) {
        const book = openBook(aRequest(), NOW_MS);
        const state = { ...book, operation: { ...book.operation, state: from } };
        const change = () => become(state, to, 'why');
        if (from === to || canBecome(from, to)) {
          expect(change().operation).toMatchObject({ state: to, stateReason: 'why' });
        } else expect(change).toThrow(`cannot go from ${from} to ${to}`);
      }
    }
  });
});

describe('nextStep', () => {
  const sentRound = (sizes: number[], isExhausted = false) =>
    sizes.reduce(
      (state, users, chunk) => addMoved(state, aMovedChunk(chunk, users, {}), NOW_MS),
      addRound(running(500), aRound(0, sizes, { isExhausted })),
    );

  it.each([
    { name: 'nothing planned yet', state: running(500), expected: 'plan' },
    {
      name: 'chunks that were never sent',
      state: addRound(running(500), aRound(0, [25, 25])),
      expected: 'send',
    },
    { name: 'all sent, none ended', state: sentRound([25, 25]), expected: 'settle' },
    {
      name: '6 % of the round remaining',
      state: addMoved(sentRound([100]), aMovedChunk(0, 100, { confirmed: 94 }), NOW_MS),
      expected: 'settle',
    },
    {
      name: '5 % of the round remaining',
      state: addMoved(sentRound([100]), aMovedChunk(0, 100, { confirmed: 95 }), NOW_MS),
      expected: 'plan',
    },
    {
      name: '95 % ended by being skipped or failed',
      state: addMoved(sentRound([100]), aMovedChunk(0, 100, { skipped: 90, failed: 5 }), NOW_MS),
      expected: 'plan',
    },
    {
      name: 'stragglers of the last round',
      state: addMoved(sentRound([100], true), aMovedChunk(0, 100, { confirmed: 95 }), NOW_MS),
      expected: 'settle',
    },
    {
      name: 'all ended and no users left',
      state: addMoved(sentRound([100], true), aMovedChunk(0, 100, { confirmed: 100 }), NOW_MS),
      expected: 'verify',
    },
    {
      name: 'a round of nobody',
      state: addRound(running(0), aRound(0, [])),
      expected: 'verify',
    },
  ])('is $expected with $name', ({ state, expected }) => {
    expect(nextStep(state)).toBe(expected);
  });
});

describe('addRound', () => {
  it('counts rounds, users and chunks, and moves the cursor', () => {
    const state = addRound(addRound(running(500), aRound(0, [25, 25])), aRound(2, [10]));
    expect(state).toMatchObject({ planned: 60, roundPlanned: 10, nextChunk: 3, cursor: 'page-2' });
    expect(state.operation.round).toBe(2);
    expect(openRemaining(state)).toBe(60);
  });

  it('does not count a round without users, and looks no further after one', () => {
    const state = addRound(running(500), aRound(0, []));
    expect(state.operation.round).toBe(0);
    expect(state.isExhausted).toBe(true);
  });

  it('is exhausted once all that was asked for is planned', () => {
    const wish = running(20, { maxUsers: 20 });
    expect(wantedLeft(wish)).toBe(20);
    const half = addRound(wish, aRound(0, [12]));
    expect(wantedLeft(half)).toBe(8);
    expect(half.isExhausted).toBe(false);
    const whole = addRound(half, aRound(1, [8]));
    expect(wantedLeft(whole)).toBe(0);
    expect(whole.isExhausted).toBe(true);
    expect(wantedLeft(running(500))).toBeNull();
  });
});

describe('addMoved', () => {
  const round = addRound(running(500), aRound(0, [10, 10]));

  it('closes a chunk whose users have all ended', () => {
    const moved = aMovedChunk(0, 10, { confirmed: 8, skipped: 2 }, { forced: 3 });
    const state = addMoved(round, moved, NOW_MS);
    expect(state.openChunks.map(({ chunk }) => chunk)).toEqual([1]);
    expect(state.closed).toMatchObject({ confirmed: 8, skipped: 2 });
    expect(rowOf(state).forced).toBe(3);
  });

  it('counts a closed chunk once, however often it is told', () => {
    const moved = aMovedChunk(0, 10, { confirmed: 10 });
    const once = addMoved(round, moved, NOW_MS);
    expect(addMoved(once, moved, NOW_MS)).toBe(once);
  });

  it('ignores a chunk that it does not know', () => {
    expect(addMoved(round, aMovedChunk(7, 10, {}), NOW_MS)).toBe(round);
  });

  it('does not take a chunk that was only looked at for sent', () => {
    const state = addMoved(round, aMovedChunk(0, 10, {}, { attempts: 0 }), NOW_MS);
    expect(nextStep(state)).toBe('send');
    expect(state.openChunks.map(({ isSent }) => isSent)).toEqual([false, false]);
  });

  it('remembers that a chunk was sent when it is looked at again', () => {
    const sent = addMoved(round, aMovedChunk(0, 10, {}), NOW_MS);
    const looked = addMoved(sent, aMovedChunk(0, 10, { confirmed: 1 }, { attempts: 1 }), NOW_MS);
    expect(looked.openChunks[0]).toMatchObject({ isSent: true, attempts: 1 });
  });

  it('keeps the earliest confirmation and the order of the chunks', () => {
    const late = aMovedChunk(1, 10, { confirmed: 1 }, { firstConfirmedAtMs: NOW_MS + 9 });
    const early = aMovedChunk(0, 10, { confirmed: 1 }, { firstConfirmedAtMs: NOW_MS + 4 });
    const none = aMovedChunk(1, 10, {}, { firstConfirmedAtMs: null });
    const state = [late, early, none].reduce((book, each) => addMoved(book, each, NOW_MS), round);
    expect(state.operation.firstConfirmedAtMs).toBe(NOW_MS + 4);
    expect(state.openChunks.map(({ chunk }) => chunk)).toEqual([0, 1]);
  });
});

describe('toRow', () => {
  it('counts users that are not in the ledger yet as planned and remaining', () => {
    const row = rowOf(addRound(running(500), aRound(0, [100])));
    expect(row.counts).toMatchObject({ planned: 500, remaining: 500 });
  });

  it('counts only the ledger once the operation has ended', () => {
    const book = addRound(running(500), aRound(0, [100]));
    const moved = addMoved(book, aMovedChunk(0, 100, { confirmed: 60, skipped: 40 }), NOW_MS);
    const ended = { ...moved, operation: { ...moved.operation, endedAtMs: NOW_MS } };
    expect(rowOf(ended).counts).toMatchObject({ planned: 100, remaining: 0 });
  });

  it('counts users of chunks that needed a second attempt as stuck while they remain', () => {
    const book = addRound(running(20), aRound(0, [10, 10]));
    const again = aMovedChunk(0, 10, { confirmed: 4 }, { attempts: 2 });
    expect(rowOf(addMoved(book, again, NOW_MS)).stuck).toBe(6);
    expect(rowOf(addMoved(book, aMovedChunk(0, 10, { confirmed: 4 }), NOW_MS)).stuck).toBe(0);
  });

  it('shows what an operator changed: speed and targets', () => {
    const inbox = { ...emptyInbox(), speedPercent: 25, targetIds: ['id-mail3'] };
    const row = toRow(running(10, { targetIds: ['id-mail2'] }), inbox, NOW_MS);
    expect(row).toMatchObject({ speedPercent: 25, targetIds: ['id-mail3'] });
    expect(rowOf(running(10, { targetIds: ['id-mail2'] })).targetIds).toEqual(['id-mail2']);
  });
});

describe('the books of a mover', () => {
  const rounds = fc.array(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 5 }), {
    maxLength: 6,
  });
  const looks = fc.array(
    fc.record({
      chunk: fc.nat(35),
      confirmed: fc.nat(100),
      skipped: fc.nat(100),
      failed: fc.nat(100),
    }),
    { maxLength: 60 },
  );
  const stories = fc.record({ original: fc.nat(1_500), rounds, looks, endsAt: fc.nat(80) });

  it('add up after any sequence of rounds and answers, also answers that come twice', () => {
    holdsFor(stories, ({ original, rounds: planned, looks: answers, endsAt }) => {
      let state = running(original);
      const sizes = new Map<number, number>();
      for (const [turn, round] of planned.entries()) {
        state = addRound(state, aRound(state.nextChunk, round));
        for (const { chunk, counts } of state.openChunks) sizes.set(chunk, counts.planned);
        for (const answer of answers.filter((_each, index) => index % 6 === turn)) {
          state = addMoved(state, portion(answer, sizes.get(answer.chunk) ?? 0), NOW_MS);
          expectBalanced(rowOf(state).counts);
        }
      }
      const ended = { ...state, operation: { ...state.operation, endedAtMs: NOW_MS + endsAt } };
      expectBalanced(rowOf(ended).counts);
      const ledger = [...sizes.values()].reduce((sum, users) => sum + users, 0);
      expect(rowOf(ended).counts.planned).toBe(ledger);
      expect(state.planned).toBe(ledger);
    });
  });

  function portion(
    answer: { chunk: number; confirmed: number; skipped: number; failed: number },
    users: number,
  ) {
    const confirmed = Math.min(users, answer.confirmed);
    const skipped = Math.min(users - confirmed, answer.skipped);
    const failed = Math.min(users - confirmed - skipped, answer.failed);
    return aMovedChunk(answer.chunk, users, { confirmed, skipped, failed });
  }

  function expectBalanced(counts: ReturnType<typeof rowOf>['counts']): void {
    const { planned, confirmed, skipped, failed, remaining } = counts;
    expect(confirmed + skipped + failed + remaining).toBe(planned);
    expect(remaining).toBeGreaterThanOrEqual(0);
  }
});

describe('usersKnown', () => {
  const { sourceId } = aRequest();
  const known = { countedAtMs: NOW_MS, users: { [sourceId]: 100, target: 40 } };
  const round = aRound(0, [10]);
  const chunks = round.chunks.map((chunk) => ({ ...chunk, targetId: 'target' }));
  const begun = addRound({ ...running(100), known }, { ...round, chunks });

  it('keeps up with what is confirmed, also where an answer comes twice', () => {
    const once = addMoved(begun, aMovedChunk(0, 10, { confirmed: 6 }), NOW_MS);
    const twice = addMoved(once, aMovedChunk(0, 10, { confirmed: 6 }), NOW_MS);
    expect(usersKnown(twice, NOW_MS)).toEqual({ [sourceId]: 94, target: 46 });
  });

  it('is nothing before the first count, and when that is too old', () => {
    expect(usersKnown(running(100), NOW_MS)).toBeNull();
    expect(usersKnown(begun, NOW_MS + 29_000)).not.toBeNull();
    expect(usersKnown(begun, NOW_MS + 30_000)).toBeNull();
  });
});
