import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserHome } from '../../workflows/domain/user-move.ts';
import { chooseUsers, isCooling, type SelectionRule } from '../../workflows/policy/choose-users.ts';
import { NOW_MS } from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

function aUser(name: string, movedSecsAgo: number | null = null): UserHome {
  return {
    username: name,
    backendId: 'source',
    altBackendId: null,
    isMoving: false,
    lastMovedMs: movedSecsAgo === null ? null : NOW_MS - movedSecsAgo * 1000,
  };
}
const users = (count: number) => Array.from({ length: count }, (_, index) => aUser(`u${index}`));

function aRule(quotas: Record<string, number>, fields: Partial<SelectionRule> = {}): SelectionRule {
  return {
    quotas: Object.entries(quotas).map(([backendId, wanted]) => ({ backendId, users: wanted })),
    minLastMovedSecs: null,
    chunkSize: 3,
    ...fields,
  };
}
const sizes = (chosen: ReturnType<typeof chooseUsers>) =>
  chosen.chunks.map(({ targetId, usernames }) => `${targetId}:${usernames.length}`);

describe('chooseUsers', () => {
  it('cuts chunks of one target each, the target with the most quota left first', () => {
    const chosen = chooseUsers(users(9), aRule({ a: 4, b: 5 }), NOW_MS);
    expect(sizes(chosen)).toEqual(['b:3', 'a:3', 'b:2', 'a:1']);
    expect(chosen.quotas).toEqual([
      { backendId: 'a', users: 0 },
      { backendId: 'b', users: 0 },
    ]);
  });

  it('begins with the first of equal quotas', () => {
    const chosen = chooseUsers(users(4), aRule({ a: 2, b: 2 }), NOW_MS);
    expect(sizes(chosen)).toEqual(['a:2', 'b:2']);
  });

  it('leaves users beyond the quotas alone', () => {
    const chosen = chooseUsers(users(9), aRule({ a: 2 }), NOW_MS);
    expect(chosen.chunks).toEqual([{ targetId: 'a', usernames: ['u0', 'u1'] }]);
    expect(chosen.skipped).toEqual([]);
  });

  it('hands on the quotas that are left', () => {
    expect(chooseUsers(users(2), aRule({ a: 5 }), NOW_MS).quotas).toEqual([
      { backendId: 'a', users: 3 },
    ]);
  });

  it.each([
    { name: 'no page', page: [], rule: aRule({ a: 5 }) },
    { name: 'no target', page: users(3), rule: aRule({}) },
    { name: 'no quota', page: users(3), rule: aRule({ a: 0 }) },
  ])('chooses nobody where there is $name', ({ page, rule }) => {
    expect(chooseUsers(page, rule, NOW_MS).chunks).toEqual([]);
  });

  it('skips users in cool time and says why', () => {
    const page = [aUser('hot', 59), aUser('cold', 60), aUser('never')];
    const chosen = chooseUsers(page, aRule({ a: 5 }, { minLastMovedSecs: 60 }), NOW_MS);
    expect(chosen.skipped).toEqual([{ username: 'hot', reason: 'CoolTime' }]);
    expect(chosen.chunks).toEqual([{ targetId: 'a', usernames: ['cold', 'never'] }]);
  });

  it('passes over users in cool time where only a number of users is wanted', () => {
    const page = [aUser('hot', 1), aUser('warm', 59), aUser('cold', 60), aUser('never')];
    const rule = aRule({ a: 2 }, { minLastMovedSecs: 60, arePassedOver: true });
    const chosen = chooseUsers(page, rule, NOW_MS);
    expect(chosen.chunks).toEqual([{ targetId: 'a', usernames: ['cold', 'never'] }]);
    expect(chosen.skipped).toEqual([]);
    // `warm` is the first who may be moved again.
    expect(chosen.restsUntilMs).toBe(NOW_MS + 1_000);
    expect(chooseUsers(page.slice(2), rule, NOW_MS).restsUntilMs).toBeNull();
  });

  it('knows no cool time where none is set', () => {
    expect(isCooling(aUser('hot', 0), null, NOW_MS)).toBe(false);
    expect(isCooling(aUser('hot', 0), 0, NOW_MS)).toBe(false);
    expect(isCooling(aUser('hot', -5), 1, NOW_MS)).toBe(true);
  });

  it('does not change the rule that it is given', () => {
    const rule = aRule({ a: 5 });
    chooseUsers(users(3), rule, NOW_MS);
    expect(rule).toEqual(aRule({ a: 5 }));
  });

  it('chooses everybody at most once, and no target gets more than its quota', () => {
    const cases = fc.record({
      moved: fc.array(fc.option(fc.nat(120)), { maxLength: 80 }),
      quotas: fc.array(fc.nat(30), { maxLength: 5 }),
      chunkSize: fc.integer({ min: 1, max: 20 }),
    });
    holdsFor(cases, ({ moved, quotas, chunkSize }) => {
      const page = moved.map((secs, index) => aUser(`u${index}`, secs));
      const byTarget = Object.fromEntries(quotas.map((wanted, index) => [`t${index}`, wanted]));
      const rule = aRule(byTarget, { minLastMovedSecs: 60, chunkSize });
      const { chunks, skipped, quotas: left } = chooseUsers(page, rule, NOW_MS);
      const chosen = chunks.flatMap(({ usernames }) => usernames);
      const everybody = [...chosen, ...skipped.map(({ username }) => username)];
      expect(new Set(everybody).size).toBe(everybody.length);
      for (const { usernames } of chunks) {
        expect(usernames.length).toBeGreaterThan(0);
        expect(usernames.length).toBeLessThanOrEqual(chunkSize);
      }
      for (const { backendId, users: unused } of left) {
        const given = chunks.filter(({ targetId }) => targetId === backendId);
        const got = given.reduce((sum, { usernames }) => sum + usernames.length, 0);
        expect(got + unused).toBe(byTarget[backendId]);
      }
      const wanted = quotas.reduce((sum, each) => sum + each, 0);
      const movable = page.length - skipped.length;
      expect(chosen.length).toBe(Math.min(wanted, movable));
    });
  });
});
