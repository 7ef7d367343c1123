import { beforeEach, describe, expect, it } from 'vitest';
import { createUserCounts, reckonOnTop } from '../../activities/user-counts.ts';
import type { Audit, CountedOperation } from '../../activities/user-counts.ts';
import type { UserCounts } from '../../activities/user-counts.ts';
import { eventually } from '../support/eventually.ts';
import { logger } from './gateway-rig.ts';

const backends = Array.from({ length: 30 }, (_, index) => ({ id: `b${index}` }));
const counts = (confirmed: number): CountedOperation['counts'] => ({
  planned: 100,
  confirmed,
  skipped: 0,
  failed: 0,
  remaining: 100 - confirmed,
});
const operation = (confirmed: number, more: Partial<CountedOperation> = {}): CountedOperation => ({
  operationId: 'o1',
  sourceId: 'b0',
  targetIds: ['b1', 'b2'],
  counts: counts(confirmed),
  createdAtMs: 1000,
  ...more,
});

describe('reckonOnTop', () => {
  const audit: Audit = {
    startedAtMs: 2000,
    tookMs: 6000,
    users: new Map([
      ['b0', 50],
      ['b1', 10],
    ]),
    confirmed: new Map([['o1', 20]]),
  };

  it('takes what was confirmed since off the source and shares it out among the targets', () => {
    expect(Object.fromEntries(reckonOnTop(audit, [operation(30)]))).toEqual({
      b0: 40,
      b1: 15,
      b2: 5,
    });
  });

  it('counts an operation that began after the audit in full', () => {
    const newer = operation(8, { operationId: 'o2', createdAtMs: 2000 });
    expect(Object.fromEntries(reckonOnTop(audit, [newer]))).toEqual({ b0: 42, b1: 14, b2: 4 });
  });

  it('changes nothing by what the audit had seen already', () => {
    const unknown = operation(60, { operationId: 'o3' });
    expect(reckonOnTop(audit, [operation(20), unknown])).toEqual(audit.users);
  });

  it('never goes below 0', () => {
    expect(reckonOnTop(audit, [operation(100)]).get('b0')).toBe(0);
  });
});

describe('user counts', () => {
  let scans: number;
  let hurried: boolean[];
  /** Who lives on each Backend by its index. */
  let people: number;
  let answerScan: () => Promise<Map<string, number>>;
  let userCounts: UserCounts;
  let open: CountedOperation[];
  let recent: (CountedOperation & { endedAtMs: number })[];

  beforeEach(() => {
    scans = 0;
    hurried = [];
    people = 7;
    open = [];
    recent = [];
    answerScan = () => Promise.resolve(new Map([['b0', 7]]));
    userCounts = createUserCounts({
      logger,
      config: { site: 'north' },
      store: {
        listOpenOperations: () => Promise.resolve(open),
        listOperations: () => Promise.resolve({ operations: recent, cursor: null }),
      },
      geodb: {
        pageUsers: (_id: string, { limit }: { limit: number }) =>
          Promise.resolve({
            users: Array.from({ length: Math.min(people, limit) }, () => ({})),
            cursor: people > limit ? 'more' : null,
          }),
        countAllUsers: ({ isHurried }: { isHurried: boolean }) => {
          scans += 1;
          hurried.push(isHurried);
          return answerScan();
        },
      },
    } as unknown as Parameters<typeof createUserCounts>[0]);
  });

  it('are read afresh where a scan is quick, once for all who ask at the same time', async () => {
    const both = await Promise.all([userCounts.read(backends, []), userCounts.read(backends, [])]);
    expect(both.map((one) => one.get('b0'))).toEqual([7, 7]);
    expect(scans).toBe(1);
    await userCounts.read(backends, []);
    expect(scans).toBe(2);
  });

  it('are not waited for where a scan is slow and a former one is there', async () => {
    answerScan = () =>
      new Promise((resolve) => setTimeout(() => resolve(new Map([['b0', 9]])), 600));
    await userCounts.read(backends, []);
    const startedMs = performance.now();
    expect((await userCounts.read(backends, [])).get('b0')).toBe(9);
    expect(performance.now() - startedMs).toBeLessThan(300);
  });

  const answerSlowly = (users: number, tookMs: number) => () =>
    new Promise<Map<string, number>>((resolve) =>
      setTimeout(() => resolve(new Map([['b0', users]])), tookMs),
    );

  it('take what an operation moved since a slow scan, also when it has ended meanwhile', async () => {
    answerScan = answerSlowly(50, 150);
    open = [operation(20)];
    expect((await userCounts.read(backends, open)).get('b0')).toBe(50);
    open = [operation(30)];
    expect((await userCounts.read(backends, open)).get('b0')).toBe(40);
    open = [];
    recent = [{ ...operation(45), endedAtMs: Date.now() }];
    expect((await userCounts.read(backends, open)).get('b0')).toBe(25);
    recent = [{ ...operation(45), endedAtMs: 1 }];
    expect((await userCounts.read(backends, open)).get('b0')).toBe(50);
  });

  it('of one Backend wait for a scan of their own that takes a moment', async () => {
    answerScan = answerSlowly(4_000, 150);
    expect(await userCounts.countOne('b0')).toBe(4_000);
    answerScan = answerSlowly(3_000, 150);
    expect(await userCounts.countOne('b0')).toBe(3_000);
  });

  it('of one Backend come by the index where scans take long: exact up to a page', async () => {
    answerScan = answerSlowly(4_000, 3_100);
    await userCounts.read(backends, []);
    people = 3;
    expect(await userCounts.countOne('b0')).toBe(3);
    people = 5_000;
    expect(await userCounts.countOne('b0')).toBe(4_000);
    expect(await userCounts.countOne('b1')).toBe(1_000);
    expect(scans).toBe(1);
  });

  it('are hurried where somebody waits for them, and not in the background', async () => {
    answerScan = answerSlowly(50, 250);
    await userCounts.read(backends, []);
    answerScan = answerSlowly(60, 250);
    await eventually('the background has counted', async () => {
      return (await userCounts.read(backends, [])).get('b0') === 60;
    });
    expect(hurried).toEqual([true, false]);
    expect(await userCounts.countOne('b0')).toBe(60);
    expect(hurried).toEqual([true, false, true]);
  });

  it('fail where nothing could be counted yet, and try again', async () => {
    answerScan = () => Promise.reject(new Error('Cassandra is away'));
    await expect(userCounts.read(backends, [])).rejects.toThrow('Cassandra is away');
    answerScan = () => Promise.resolve(new Map([['b0', 1]]));
    expect((await userCounts.read(backends, [])).get('b0')).toBe(1);
  });
});
