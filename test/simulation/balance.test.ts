/** `rebalance_sites` in closed loop, with everything else that a controller does running beside it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULTS, simulate, Simulation, type Scenario } from './scenario.ts';
import type { SiteShape } from './simulated-site.ts';

const SEEDS = Array.from({ length: 100 }, (_, index) => 1000 + index);
const USERS = 50_000;
const MAX_ACTING_CYCLES = 20;
const MAX_MOVES_RATIO = 1.3;
const MAX_THRASH = 0.02;
/** Settled after one and a half; the rest shows that it stays so. */
const HOURS = 3;

/** 4 to 12 Backends, Zipf loads, the first at twice the mean of all. */
function oneHot(seed: number, fields: Partial<SiteShape> = {}): Scenario {
  const backends = 4 + (seed % 9);
  // Twice the mean: h = 2 (h + n - 1) / n.
  const hot = (2 * (backends - 1)) / (backends - 2);
  const shares = Array.from({ length: backends }, (_, index) => (index === 0 ? hot : 1));
  return {
    shape: { seed, backends, users: USERS, shares, headroom: 4, ...fields },
    hours: HOURS,
  };
}

interface Outcome {
  readonly seed: number;
  readonly backends: number;
  readonly actingCycles: number;
  /** Users moved / (load above the mean / mean load of a user). */
  readonly movesRatio: number;
  /** Users moved again within an hour / users moved. */
  readonly thrash: number;
  readonly spread: number;
  readonly lastReason: string;
  readonly violations: readonly string[];
}

function balance(scenario: Scenario): Outcome {
  const simulation = new Simulation(scenario);
  const { site, watch } = simulation;
  const loads = site.backends.map((_, index) => site.crowd.weight(index));
  const mean = loads.reduce((a, b) => a + b, 0) / loads.length;
  // An average user weighs 1.
  const excess = loads.reduce((sum, load) => sum + Math.max(0, load - mean), 0);
  simulation.run();
  const { moves, again } = watch.measures;
  const last = watch.log.findLast(({ task }) => task === 'rebalance_sites');
  return {
    seed: scenario.shape.seed,
    backends: loads.length,
    actingCycles: watch.of('rebalance').length,
    movesRatio: moves.rebalance / excess,
    thrash: again.all / Math.max(1, moves.rebalance),
    spread: site.spread(),
    lastReason: last?.decision.reason ?? '',
    violations: watch.violations,
  };
}

function expectSettled(outcome: Outcome): void {
  const said = JSON.stringify(outcome);
  expect(['BelowThreshold', 'CannotImprove'], said).toContain(outcome.lastReason);
  expect(outcome.spread, said).toBeLessThanOrEqual(DEFAULTS.loadBalanceMinSpread);
  expect(outcome.actingCycles, said).toBeLessThanOrEqual(MAX_ACTING_CYCLES);
  expect(outcome.movesRatio, said).toBeLessThanOrEqual(MAX_MOVES_RATIO);
  expect(outcome.thrash, said).toBeLessThanOrEqual(MAX_THRASH);
  expect(outcome.violations, said).toEqual([]);
}

describe('one Backend at twice the mean, on 100 seeds', () => {
  let outcomes: readonly Outcome[] = [];

  beforeAll(() => {
    outcomes = SEEDS.map((seed) => balance(oneHot(seed)));
  }, 600_000);

  it('settles within 20 acting cycles, few moves, no thrash, and stays settled for hours', () => {
    for (const outcome of outcomes) expectSettled(outcome);
  });

  it('is done in 16 acting cycles and 1.06 times the least moves, as measured', () => {
    expect(Math.max(...outcomes.map((each) => each.actingCycles))).toBeLessThanOrEqual(16);
    expect(Math.max(...outcomes.map((each) => each.movesRatio))).toBeLessThanOrEqual(1.06);
    expect(Math.max(...outcomes.map((each) => each.thrash))).toBe(0);
  });
});

describe('a site that balances', () => {
  it('settles as well where loads are measured badly and swing with the day', () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const shape = oneHot(seed, { noise: 0.01, swing: 0.3 });
      expectSettled(balance({ ...shape, hours: 6 }));
    }
  });

  it('does nothing about noise below the least spread', () => {
    for (const seed of SEEDS.slice(0, 10)) {
      const shape = { seed, backends: 2 + (seed % 6), users: 20_000, noise: 0.03 };
      const { watch } = simulate({ shape, hours: 2 });
      expect(watch.of('rebalance'), `seed ${seed}`).toEqual([]);
    }
  });

  it('of two Backends balances when its metrics agree', () => {
    const shape = { seed: 7, backends: 2, users: USERS, shares: [2, 1], headroom: 4 };
    const { site, watch } = simulate({ shape, hours: 5 });
    expect(watch.of('rebalance').length).toBeGreaterThan(0);
    expect(site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread * 1.5);
    expect(watch.violations).toEqual([]);
  });

  it('of one Backend, or with one that may take part, does nothing', () => {
    const one = { seed: 7, backends: 1, users: 5_000 };
    expect(simulate({ shape: one, hours: 1 }).watch.of('rebalance')).toEqual([]);
    const two = { seed: 7, backends: 2, users: 5_000, shares: [3, 1] };
    const events = [{ atMin: 0, does: 'setStatus', host: 'mail02', status: 'standby' }] as const;
    const { watch } = simulate({ shape: two, hours: 1, events });
    const last = watch.log.findLast(({ task }) => task === 'rebalance_sites');
    expect(last?.decision).toMatchObject({ kind: 'nothing', reason: 'TooFewEligible' });
    expect(watch.measures.moves.rebalance).toBe(0);
  });

  it('shares out by load factor', () => {
    const loadFactors = [100, 50, 100, 25];
    const shape = { seed: 3, backends: 4, users: 20_000, loadFactors, headroom: 4 };
    const { site, watch } = simulate({ shape, hours: 8 });
    expect(site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread * 2);
    expect(watch.violations).toEqual([]);
  });

  it('waits with a new Backend until its load has been measured for twelve hours', () => {
    const shape = { seed: 4, backends: 4, users: 8_000, shares: [1, 1, 1, 0], samplesSecs: 0 };
    const simulation = new Simulation({ shape, hours: 16 });
    const { site, watch } = simulation;
    simulation.run(12 * 60);
    expect(watch.of('rebalance')).toEqual([]);
    simulation.run();
    expect(watch.of('rebalance').length).toBeGreaterThan(10);
    expect(site.crowd.count(3)).toBeGreaterThan(1_000);
    expect(watch.violations).toEqual([]);
  });
});

describe('after a recovery', () => {
  const shape = { seed: 2, backends: 4, users: 20_000, noise: 0.01 };
  const faults = [{ kind: 'deny', share: 1, hosts: ['mail01'], fromMin: 60, toMin: 75 }] as const;

  it('brings users back at once, and gently: a few per cent of one Backend every five minutes', () => {
    const simulation = new Simulation({ shape, faults, hours: 6 });
    const { site, watch } = simulation;
    simulation.run(76);
    expect(site.crowd.count(0)).toBe(0);
    let before = 0;
    const most = Math.ceil(0.05 * (site.crowd.size / 3) * 1.2);
    for (let step = 0; step < 12; step += 1) {
      simulation.run(5);
      const now = site.crowd.count(0);
      // Those who were evacuated stay for an hour; there are others.
      expect(now, `${76 + 5 * step} min`).toBeGreaterThan(before + 100);
      expect(now - before).toBeLessThanOrEqual(most);
      before = now;
    }
    simulation.run();
    expect(site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread);
    expect(watch.measures.again.balanced).toBe(0);
    expect(watch.violations).toEqual([]);
  });

  it('every balancing move moves somebody: users in cool time do not use up its number', () => {
    const { watch } = simulate({ shape, faults, hours: 6 });
    const balancing = watch.ended.filter(({ cause }) => cause === 'rebalance');
    expect(balancing.length).toBeGreaterThan(10);
    for (const { counts } of balancing) expect(counts.confirmed).toBe(counts.planned);
    for (const { counts, originalCount } of balancing) expect(counts.planned).toBe(originalCount);
  });
});
