import { describe, expect, it } from 'vitest';
import { memoize } from '../../platform/memoize.ts';

function counted(maxAgeMs: number) {
  let nowMs = 1_000;
  let calls = 0;
  let failsFrom = Infinity;
  const read = memoize(
    async () => {
      calls += 1;
      const call = calls;
      await Promise.resolve();
      if (call >= failsFrom) throw new Error(`call ${call}`);
      return call;
    },
    maxAgeMs,
    () => nowMs,
  );
  return {
    read,
    later: (ms: number) => void (nowMs += ms),
    failFrom: (call: number) => void (failsFrom = call),
    calls: () => calls,
  };
}

describe('memoize', () => {
  it('asks once for all who come while it is asked, and until the answer is too old', async () => {
    const { read, later, calls } = counted(100);
    expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
    later(99);
    expect(await read()).toBe(1);
    later(1);
    expect(await read()).toBe(2);
    expect(calls()).toBe(2);
  });

  it('keeps no failure beyond those who wait for it', async () => {
    const { read, failFrom, calls } = counted(100);
    failFrom(1);
    const [one, two] = await Promise.allSettled([read(), read()]);
    expect([one.status, two.status]).toEqual(['rejected', 'rejected']);
    expect(calls()).toBe(1);
    failFrom(Infinity);
    expect(await read()).toBe(2);
  });
});
