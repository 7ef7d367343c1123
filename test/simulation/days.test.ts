/** Days of a site in which much goes wrong: the rules hold at every cycle, and it comes to rest in between. */
import { describe, expect, it } from 'vitest';
import type { Fault } from './faults.ts';
import { seededRandom } from './random.ts';
import { DEFAULTS, simulate, Simulation, type Scenario } from './scenario.ts';
import { hostOf } from './simulated-site.ts';

const DAY_MIN = 1_440;

/** One fault of each kind, at random Backends and hours, and blindness in between. */
function troubled(seed: number, days: number): Scenario {
  const random = seededRandom(seed);
  const backends = 4 + Math.floor(random() * 6);
  const anyHosts = () => [hostOf(Math.floor(random() * backends))];
  const span = (minutes: number) => {
    const fromMin = Math.floor(random() * (days * DAY_MIN - 240));
    return { fromMin, toMin: fromMin + 5 + Math.floor(random() * minutes) };
  };
  const faults: Fault[] = [
    { kind: 'deny', share: 1, hosts: anyHosts(), ...span(60) },
    { kind: 'deny', share: 0.15, hosts: anyHosts(), ...span(120) },
    { kind: 'storage', hosts: anyHosts(), ...span(180) },
    { kind: 'flap', shares: [0.05, 0.3], everySecs: 90, hosts: anyHosts(), ...span(120) },
    { kind: 'flap', shares: [0, 1], everySecs: 600, hosts: anyHosts(), ...span(120) },
    { kind: 'brownOut', capacity: 0.4, hosts: anyHosts(), ...span(240) },
    { kind: 'kill', hosts: anyHosts(), ...span(60) },
    { kind: 'restart', hosts: anyHosts(), ...span(1) },
    { kind: 'hang', hosts: anyHosts(), ...span(60) },
    { kind: 'noDoveadm', hosts: anyHosts(), ...span(60) },
    { kind: 'deny', share: 1, hosts: [...anyHosts(), ...anyHosts(), ...anyHosts()], ...span(30) },
    { kind: 'noPrometheus', ...span(30) },
    { kind: 'proxyUnseen', ...span(30) },
    { kind: 'counterReset', ...span(1) },
  ];
  const [drained = ''] = anyHosts();
  const drainedAtMin = Math.floor(random() * (days - 1) * DAY_MIN);
  return {
    shape: { seed, backends, users: 12_000, swing: 0.4, noise: 0.02, arrivalsPerDay: 300 },
    hours: 24 * days,
    faults,
    events: [
      { atMin: drainedAtMin, does: 'setLoadFactor', host: drained, loadFactor: 0 },
      { atMin: drainedAtMin + 180, does: 'setLoadFactor', host: drained, loadFactor: 100 },
    ],
  };
}

describe('two days with one fault of each kind', () => {
  const seeds = Array.from({ length: 10 }, (_, index) => 500 + index);

  it('keep every rule at every cycle, lose nobody, and end with everything online and users spread', () => {
    for (const seed of seeds) {
      const { site, watch } = simulate(troubled(seed, 2));
      const said = `seed ${seed}`;
      expect(watch.violations, said).toEqual([]);
      const living = site.backends.reduce((sum, _, index) => sum + site.crowd.count(index), 0);
      expect(living, said).toBe(site.crowd.size);
      expect(
        site.backends.every(({ status }) => status === 'online'),
        said,
      ).toBe(true);
      expect(watch.measures.again.balanced, said).toBe(0);
    }
  });

  it('are the same every time with the same seed', () => {
    const [once, again] = [simulate(troubled(501, 1)), simulate(troubled(501, 1))];
    expect(again.watch.acts()).toEqual(once.watch.acts());
    expect(again.watch.measures).toEqual(once.watch.measures);
  });
});

describe('a day without faults', () => {
  it('moves nobody, however the load swings and users arrive', () => {
    const shape = { seed: 9, backends: 6, users: 12_000, swing: 0.5, noise: 0.02 };
    const { watch } = simulate({ shape: { ...shape, arrivalsPerDay: 500 }, hours: 24 });
    expect(watch.acts()).toEqual([]);
  });
});

describe('what is not seen', () => {
  it.each(['noPrometheus', 'proxyUnseen'] as const)(
    '%s: nothing new is begun until it is over',
    (kind) => {
      const faults: Fault[] = [
        { kind, fromMin: 10, toMin: 40 },
        { kind: 'deny', share: 1, hosts: ['mail01'], fromMin: 15, toMin: 60 },
      ];
      const { watch } = simulate({
        shape: { seed: 1, backends: 4, users: 8_000 },
        hours: 2,
        faults,
      });
      const [evacuated] = watch.of('evacuate');
      expect(evacuated?.minute).toBeGreaterThanOrEqual(40);
      expect(evacuated?.minute).toBeLessThanOrEqual(41);
      expect(watch.violations).toEqual([]);
    },
  );

  it('counters that begin anew are no failure and no recovery', () => {
    const faults: Fault[] = [{ kind: 'counterReset', fromMin: 30 }];
    const { watch } = simulate({ shape: { seed: 1, backends: 4, users: 8_000 }, hours: 1, faults });
    expect(watch.acts()).toEqual([]);
  });
});

describe('what an operator does', () => {
  const shape = { seed: 1, backends: 4, users: 8_000 };

  it('load factor 0 empties a Backend and leaves it online; raised again, it fills by and by', () => {
    const simulation = new Simulation({
      shape,
      hours: 8,
      events: [
        { atMin: 10, does: 'setLoadFactor', host: 'mail01', loadFactor: 0 },
        { atMin: 60, does: 'setLoadFactor', host: 'mail01', loadFactor: 100 },
      ],
    });
    const { site, watch } = simulation.run(59);
    expect(site.crowd.count(0)).toBe(0);
    expect(watch.measures.statusChanges).toEqual([]);
    simulation.run();
    expect(site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread * 1.5);
    expect(watch.violations).toEqual([]);
  });

  it('a cancelled balancing move keeps automation off its source for an hour', () => {
    const events = [{ atMin: 1.5, does: 'cancel', host: 'mail01' }] as const;
    const hanging = { kind: 'hang', hosts: ['mail01'], fromMin: 0, toMin: 10 } as const;
    const simulation = new Simulation({
      shape: { ...shape, shares: [2, 1, 1, 1] },
      hours: 3,
      faults: [hanging],
      events,
    });
    const { watch } = simulation.run();
    const minutes = watch
      .of('rebalance')
      .filter(({ decision }) => decision.hosts.includes('mail01'))
      .map(({ minute }) => minute);
    expect(minutes[0]).toBeLessThan(1.5);
    expect(minutes[1]).toBeGreaterThanOrEqual(61.5);
  });

  it('with automation paused nothing at all is begun', () => {
    const events = [{ atMin: 5, does: 'switch', automation: 'paused' }] as const;
    const faults: Fault[] = [{ kind: 'deny', share: 1, hosts: ['mail01'], fromMin: 10 }];
    const { watch } = simulate({ shape, hours: 1, faults, events });
    expect(watch.acts()).toEqual([]);
  });
});
