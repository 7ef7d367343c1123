/** `check_backend_health` in closed loop, as documented defaults have it, with balancing and drains beside it. */
import { describe, expect, it } from 'vitest';
import type { Fault } from './faults.ts';
import { DEFAULTS, simulate, type Simulation } from './scenario.ts';
import { hostOf, type SiteShape } from './simulated-site.ts';

const SEEDS = [1, 2, 3, 4, 5];
const HOT = ['mail01'];
const firstOf = (count: number) => Array.from({ length: count }, (_, index) => hostOf(index));

function site(
  seed: number,
  hours: number,
  faults: readonly Fault[],
  fields: Partial<SiteShape> = {},
) {
  return simulate({
    shape: { seed, backends: 4, users: 8_000, noise: 0.01, ...fields },
    hours,
    faults,
  });
}

/** Minutes at which users were moved off this Backend because it failed. */
function minutesOf({ watch }: Simulation, host: string): number[] {
  return watch
    .of('movePartially', 'evacuate')
    .filter(({ decision }) => decision.hosts[0] === host)
    .map(({ minute }) => minute);
}

function expectCalm({ watch, site: { shape } }: Simulation): void {
  expect(watch.violations, `seed ${shape.seed}`).toEqual([]);
}

describe('flapping between 9 and 11 %', () => {
  it.each([5, 30, 60, 300])(
    'every %i s: at most one action a cool time, nobody twice',
    (everySecs) => {
      for (const seed of SEEDS) {
        const flap = { kind: 'flap', shares: [0.09, 0.11], everySecs, hosts: HOT } as const;
        const simulation = site(seed, 2, [{ ...flap, fromMin: 10, toMin: 40 }]);
        const minutes = minutesOf(simulation, 'mail01');
        minutes.slice(1).forEach((minute, index) => {
          const apart = (minute - (minutes[index] ?? 0)) * 60;
          expect(apart, `seed ${seed}`).toBeGreaterThanOrEqual(DEFAULTS.failureCoolTimeSecs);
        });
        expect(minutes.length, `seed ${seed}`).toBeLessThanOrEqual(6);
        expect(simulation.watch.of('evacuate'), `seed ${seed}`).toEqual([]);
        expect(simulation.watch.measures.again.all, `seed ${seed}`).toBe(0);
        expectCalm(simulation);
      }
    },
  );
});

describe('15 % of what is tried fails', () => {
  it('moves some users at a time, never all, and sets nothing offline', () => {
    for (const seed of SEEDS) {
      const deny = { kind: 'deny', share: 0.15, hosts: HOT, fromMin: 10 } as const;
      const simulation = site(seed, 2, [deny]);
      const about = simulation.watch.acts().filter((text) => text.includes('mail01'));
      const kinds = about.map((text) => text.split(' ')[0]);
      expect(new Set(kinds), `seed ${seed}`).toEqual(new Set(['movePartially']));
      expect(simulation.watch.measures.statusChanges).toEqual([]);
      expectCalm(simulation);
    }
  });

  it('brings users back when it is over, an hour after the last that was moved off', () => {
    const deny = { kind: 'deny', share: 0.15, hosts: HOT, fromMin: 10, toMin: 30 } as const;
    const simulation = site(1, 6, [deny]);
    const lastOff = minutesOf(simulation, 'mail01').at(-1) ?? 0;
    const back = simulation.watch
      .of('rebalance')
      .filter(({ decision }) => decision.hosts[1] === 'mail01');
    expect(back[0]?.minute).toBeGreaterThanOrEqual(lastOff + 60);
    expect(simulation.site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread * 1.5);
    expectCalm(simulation);
  });
});

describe('a mail store that is gone', () => {
  it('evacuates, stays offline until it is repaired, and does not flap', () => {
    for (const seed of SEEDS) {
      const simulation = site(seed, 6, [{ kind: 'storage', hosts: HOT, fromMin: 10, toMin: 180 }]);
      const { watch } = simulation;
      expect(watch.measures.statusChanges).toEqual(['mail01 offline', 'mail01 online']);
      expect(watch.of('evacuate')).toHaveLength(1);
      const [returned] = watch.of('setOnline');
      expect(returned?.minute).toBeGreaterThanOrEqual(180);
      expect(returned?.minute).toBeLessThanOrEqual(183);
      expect(watch.measures.again.all).toBe(0);
      expectCalm(simulation);
    }
  });
});

describe('a brown-out', () => {
  it('loses users until what is left is served, without any of them going to and fro', () => {
    for (const seed of SEEDS) {
      const half = {
        kind: 'brownOut',
        capacity: 0.5,
        hosts: HOT,
        fromMin: 10,
        toMin: 60,
      } as const;
      const simulation = site(seed, 3, [half], { headroom: 1.5 });
      expect(minutesOf(simulation, 'mail01').length, `seed ${seed}`).toBeGreaterThan(0);
      expect(simulation.watch.measures.again.all, `seed ${seed}`).toBe(0);
      expect(simulation.watch.measures.statusChanges).toEqual([]);
      expectCalm(simulation);
    }
  });
});

describe('many that fail together', () => {
  const failing = (count: number): Fault => ({
    kind: 'deny',
    share: 1,
    hosts: firstOf(count),
    fromMin: 10,
    toMin: 60,
  });
  const ten = { backends: 10, users: 20_000 };

  it('40 %: all of them are emptied, set offline, and come back', () => {
    const simulation = site(5, 2, [failing(4)], ten);
    const { statusChanges } = simulation.watch.measures;
    const hosts = firstOf(4);
    expect(statusChanges.slice(0, 4).sort()).toEqual(hosts.map((host) => `${host} offline`));
    expect(statusChanges.slice(4).sort()).toEqual(hosts.map((host) => `${host} online`));
    expect(simulation.watch.measures.catastropheSecs).toBe(0);
    expectCalm(simulation);
  });

  it.each([6, 10])(
    '%i of 10: nobody is moved, nothing set offline, and protection lets go',
    (count) => {
      const simulation = site(5, 2, [failing(count)], ten);
      const { measures } = simulation.watch;
      expect(simulation.watch.acts()).toEqual([]);
      expect(measures.statusChanges).toEqual([]);
      // 50 minutes of trouble, and the look-back that shows its end.
      expect(measures.catastropheSecs).toBeGreaterThan(49 * 60);
      expect(measures.catastropheSecs).toBeLessThan(53 * 60);
      expectCalm(simulation);
    },
  );

  it('one after another: the first half is emptied, then protection holds until they are repaired', () => {
    const faults = firstOf(8).map((host, index): Fault => ({
      kind: 'deny',
      share: 1,
      hosts: [host],
      fromMin: 10 + 5 * index,
      toMin: 120,
    }));
    const simulation = site(5, 4, faults, ten);
    const { watch } = simulation;
    expect(watch.of('evacuate').map(({ decision }) => decision.hosts[0])).toEqual(firstOf(5));
    expect(watch.measures.catastropheSecs).toBeGreaterThan(60 * 60);
    expect(watch.measures.statusChanges.filter((text) => text.endsWith('online'))).toHaveLength(5);
    expect(simulation.site.backends.map(({ status }) => status)).toEqual(Array(10).fill('online'));
    expectCalm(simulation);
  });

  it('a cascade of load: the users of one that failed overload the others, and nobody is set offline for it', () => {
    const deny = { kind: 'deny', share: 1, hosts: HOT, fromMin: 10, toMin: 60 } as const;
    for (const seed of SEEDS) {
      const simulation = site(seed, 4, [deny], { headroom: 1.2 });
      const { measures } = simulation.watch;
      expect(measures.statusChanges, `seed ${seed}`).toEqual(['mail01 offline', 'mail01 online']);
      // With the others degraded there is nobody to take users off them.
      expect(measures.catastropheSecs, `seed ${seed}`).toBeGreaterThan(0);
      expect(simulation.site.spread(), `seed ${seed}`).toBeLessThan(0.1);
      expectCalm(simulation);
    }
  });
});

describe('the smallest sites', () => {
  it.each([
    { backends: 1, failing: 1, offline: [] },
    { backends: 2, failing: 1, offline: ['mail01 offline'] },
    { backends: 2, failing: 2, offline: [] },
    { backends: 3, failing: 1, offline: ['mail01 offline'] },
    { backends: 3, failing: 2, offline: [] },
    { backends: 3, failing: 3, offline: [] },
  ])('of $backends with $failing failing: $offline', ({ backends, failing, offline }) => {
    const deny = { kind: 'deny', share: 1, hosts: firstOf(failing), fromMin: 10 } as const;
    const simulation = site(3, 1, [deny], { backends, users: 2_000 * backends, headroom: 4 });
    expect(simulation.watch.measures.statusChanges).toEqual(offline);
    expectCalm(simulation);
  });

  it('of three, one after another: one is emptied, then protection holds', () => {
    const faults = firstOf(3).map((host, index): Fault => ({
      kind: 'deny',
      share: 1,
      hosts: [host],
      fromMin: 10 + 10 * index,
      toMin: 60,
    }));
    const simulation = site(3, 2, faults, { backends: 3, users: 6_000, headroom: 4 });
    const { statusChanges } = simulation.watch.measures;
    expect(statusChanges).toEqual(['mail01 offline', 'mail01 online']);
    expectCalm(simulation);
  });
});

describe('a source that takes moves and never ends them', () => {
  it('is emptied all the same: what is stuck is tried again, then forced', () => {
    const hosts = HOT;
    const simulation = site(3, 1, [
      { kind: 'deny', share: 1, hosts, fromMin: 10, toMin: 50 },
      { kind: 'hang', hosts, fromMin: 10, toMin: 50 },
    ]);
    expect(simulation.watch.measures.statusChanges).toEqual(['mail01 offline', 'mail01 online']);
    const [evacuation] = simulation.watch.ended;
    expect(evacuation).toMatchObject({ cause: 'health', state: 'done' });
    expect(evacuation?.forced).toBeGreaterThan(0);
    expectCalm(simulation);
  });
});
