/** How many clients a Backend makes log in again at a time. */
import { afterEach, expect, test, vi } from 'vitest';
import { awayMsOf, createDepartureGate } from '../../lab/mail/cluster-service/departure-gate.ts';

/** A gate whose clients come back when they are told, and a journal of who left. */
function openGate() {
  const away: (() => void)[] = [];
  const left: string[] = [];
  const gate = createDepartureGate(() => new Promise<void>((back) => away.push(back)));
  return {
    left,
    leave: (name: string, users: number, width: number, work = () => Promise.resolve(name)) =>
      gate.pass({ width, users }, () => {
        left.push(name);
        return work();
      }),
    /** Everybody who has left by now is back. */
    async allBack() {
      for (const back of away.splice(0)) back();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

afterEach(() => {
  vi.useRealTimers();
});

test('the answer does not wait for the clients, the next group does', async () => {
  const { left, leave, allBack } = openGate();
  expect(await leave('first', 4, 8)).toBe('first');
  expect(await leave('second', 4, 8)).toBe('second');
  const third = leave('third', 1, 8);
  await new Promise((resolve) => setImmediate(resolve));
  expect(left).toEqual(['first', 'second']);
  await allBack();
  expect(await third).toBe('third');
});

test('a group that is wider than the gate leaves alone', async () => {
  const { left, leave, allBack } = openGate();
  const wide = leave('wide', 10, 2);
  const next = leave('next', 1, 2);
  expect(await wide).toBe('wide');
  expect(left).toEqual(['wide']);
  await allBack();
  expect(await next).toBe('next');
});

test('first come, first served, also where a smaller group would fit', async () => {
  const { left, leave, allBack } = openGate();
  await leave('first', 2, 4);
  const large = leave('large', 4, 4);
  const small = leave('small', 1, 4);
  await new Promise((resolve) => setImmediate(resolve));
  expect(left).toEqual(['first']);
  await allBack();
  await large;
  expect(left).toEqual(['first', 'large']);
  await allBack();
  await small;
});

test('work that fails gives its place back', async () => {
  const { leave, allBack } = openGate();
  await expect(leave('broken', 4, 4, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  const next = leave('next', 4, 4);
  await allBack();
  expect(await next).toBe('next');
});

test('where departures take long, so does the way back', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const took: number[] = [];
  const gate = createDepartureGate((ms) => Promise.resolve(took.push(ms)));
  for (const ms of [7, 240]) {
    await gate.pass({ width: 4, users: 2 }, () => Promise.resolve(vi.advanceTimersByTime(ms)));
  }
  expect(took).toEqual([7, 240]);
  expect([7, 50, 240, 5_000].map(awayMsOf)).toEqual([30, 50, 240, 500]);
});
