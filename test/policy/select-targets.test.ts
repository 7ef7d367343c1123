import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKEND_STATUSES } from '../../workflows/domain/backend.ts';
import { HEALTH_VERDICTS } from '../../workflows/domain/cluster-snapshot.ts';
import { selectTargets, type TargetCandidate } from '../../workflows/policy/select-targets.ts';
import { holdsFor } from '../support/property.ts';

function aCandidate(host: string, fields: Partial<TargetCandidate> = {}): TargetCandidate {
  return {
    backendId: `id-${host}`,
    host,
    status: 'online',
    loadFactor: 100,
    verdict: 'healthy',
    isDoveadmReachable: true,
    isBeingEmptied: false,
    userCount: 0,
    inflow: 0,
    ...fields,
  };
}

const SOURCE = aCandidate('mail0', { userCount: 900 });
const select = (candidates: TargetCandidate[], users: number, targetIds: string[] = []) =>
  selectTargets([SOURCE, ...candidates], { sourceId: SOURCE.backendId, targetIds, users });
const sharesOf = (selection: ReturnType<typeof selectTargets>) =>
  Object.fromEntries(selection.quotas.map(({ host, users }) => [host, users]));

describe('selectTargets', () => {
  it.each([
    { refusal: 'Offline', fields: { status: 'offline' } },
    { refusal: 'Standby', fields: { status: 'standby' } },
    { refusal: 'LoadFactorZero', fields: { loadFactor: 0 } },
    { refusal: 'Failing', fields: { verdict: 'critical' } },
    { refusal: 'Failing', fields: { verdict: 'degraded' } },
    { refusal: 'Unreachable', fields: { isDoveadmReachable: false } },
    { refusal: 'BeingEmptied', fields: { isBeingEmptied: true } },
  ] as const)('refuses a Backend with $fields as $refusal', ({ refusal, fields }) => {
    const selection = select([aCandidate('mail1', fields), aCandidate('mail2')], 10);
    expect(selection.refused).toContainEqual({ host: 'mail1', refusal });
    expect(sharesOf(selection)).toEqual({ mail2: 10 });
  });

  it('refuses the source and whoever was not asked for', () => {
    const selection = select([aCandidate('mail1'), aCandidate('mail2')], 10, ['id-mail2']);
    expect(selection.refused).toEqual([
      { host: 'mail0', refusal: 'Source' },
      { host: 'mail1', refusal: 'NotAsked' },
    ]);
  });

  it('takes a Backend that was not judged yet', () => {
    expect(sharesOf(select([aCandidate('mail1', { verdict: 'unknown' })], 3))).toEqual({
      mail1: 3,
    });
  });

  it.each([
    { name: 'evenly', given: [{}, {}], users: 10, expected: [5, 5] },
    { name: 'the odd one to the first', given: [{}, {}], users: 11, expected: [6, 5] },
    {
      name: 'the odd one to whom it is nearest due',
      given: [{ loadFactor: 50 }, {}],
      users: 10,
      expected: [3, 7],
    },
    { name: 'by load factor', given: [{}, { loadFactor: 50 }], users: 30, expected: [20, 10] },
    {
      name: 'to the emptier one first',
      given: [{ userCount: 8 }, {}],
      users: 10,
      expected: [1, 9],
    },
    {
      name: 'users on their way as there',
      given: [{ inflow: 8 }, {}],
      users: 10,
      expected: [1, 9],
    },
    {
      name: 'nothing to one that is fuller than all will be',
      given: [{ userCount: 500 }, {}],
      users: 10,
      expected: [0, 10],
    },
    { name: 'nobody', given: [{}, {}], users: 0, expected: [0, 0] },
  ])('shares out $name', ({ given, users, expected }) => {
    const selection = select(
      given.map((fields, index) => aCandidate(`mail${index + 1}`, fields)),
      users,
    );
    expect(selection.quotas.map((quota) => quota.users)).toEqual(expected);
  });

  it('has no quota where every Backend is refused', () => {
    expect(select([aCandidate('mail1', { status: 'offline' })], 10).quotas).toEqual([]);
  });

  it.each([-1, 1.5, Number.NaN])('calls the programmer for %s users', (users) => {
    expect(() => select([aCandidate('mail1')], users)).toThrow('users is a count');
  });
});

describe('selectTargets on random clusters', () => {
  const candidates = fc
    .array(
      fc.record({
        status: fc.constantFrom(...BACKEND_STATUSES, 'online', 'online', 'online'),
        loadFactor: fc.constantFrom(0, 1, 7, 33, 50, 100),
        verdict: fc.constantFrom(...HEALTH_VERDICTS),
        isDoveadmReachable: fc.boolean(),
        isBeingEmptied: fc.boolean(),
        userCount: fc.nat(1_000_000),
        inflow: fc.nat(500),
      }),
      { maxLength: 12 },
    )
    .map((all) => all.map((fields, index) => aCandidate(`mail${index + 10}`, fields)));
  const wishes = fc.record({ candidates, users: fc.nat(100_000) });

  it('gives quotas that are counts and sum up to the users asked for', () => {
    holdsFor(wishes, (wish) => {
      const { quotas } = select(wish.candidates, wish.users);
      for (const { users } of quotas) expect(Number.isInteger(users) && users >= 0).toBe(true);
      const sum = quotas.reduce((total, { users }) => total + users, 0);
      expect(sum).toBe(quotas.length === 0 ? 0 : wish.users);
    });
  });

  it('answers every Backend once, and gives no refused one a quota', () => {
    holdsFor(wishes, (wish) => {
      const { quotas, refused } = select(wish.candidates, wish.users);
      const hosts = [...quotas, ...refused].map(({ host }) => host).sort();
      expect(hosts).toEqual([SOURCE, ...wish.candidates].map(({ host }) => host).sort());
    });
  });

  it('does not depend on the order of the Backends', () => {
    holdsFor(wishes, (wish) => {
      const turned = select([...wish.candidates].reverse(), wish.users);
      expect(turned).toEqual(select(wish.candidates, wish.users));
    });
  });

  it('never puts a user where a less loaded target was left behind by more than one', () => {
    holdsFor(wishes, (wish) => {
      const { quotas } = select(wish.candidates, wish.users);
      const byHost = new Map(wish.candidates.map((each) => [each.host, each]));
      const after = (host: string, users: number) => {
        const { userCount = 0, inflow = 0, loadFactor = 1 } = byHost.get(host) ?? {};
        return (userCount + inflow + users) / loadFactor;
      };
      for (const from of quotas.filter(({ users }) => users > 0)) {
        for (const to of quotas) {
          expect(after(from.host, from.users - 1)).toBeLessThanOrEqual(
            after(to.host, to.users + 1) + 1e-6,
          );
        }
      }
    });
  });
});
