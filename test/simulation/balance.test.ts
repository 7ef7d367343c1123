import { describe, expect, it } from 'vitest';
import { DEFAULTS, SimulatedSite } from './simulated-site.ts';

const SEEDS = Array.from({ length: 100 }, (_, index) => 1000 + index);
const MAX_ACTING_CYCLES = 20;
/** Beyond it nothing more happens: 20 acting cycles of a Backend that rests five minutes after each. */
const MAX_CYCLES = 200;

interface Outcome {
  readonly seed: number;
  readonly backends: number;
  readonly actingCycles: number;
  readonly isSettled: boolean;
  readonly movesOverMinimum: number;
  readonly thrash: number;
  readonly spread: number;
}

/** One hot Backend at twice the mean of the site. */
function run(seed: number): Outcome {
  const backends = 4 + (seed % 9);
  // Twice the mean of all: h = 2 (h + n - 1) / n.
  const hotFactor = (2 * (backends - 1)) / (backends - 2);
  const site = new SimulatedSite({ seed, backends, users: 50_000, hotFactor, noise: 0 });
  const loads = site.loads();
  const total = loads.reduce((a, b) => a + b, 0);
  const mean = total / backends;
  const excess = loads.reduce((sum, load) => sum + Math.max(0, load - mean), 0);
  const minimum = excess / (total / 50_000);
  let isSettled = false;
  for (let cycle = 0; cycle < MAX_CYCLES && site.moves.length < MAX_ACTING_CYCLES + 1; cycle += 1) {
    const { kind, reason } = site.cycle();
    const isQuiet =
      kind === 'nothing' && (reason === 'BelowThreshold' || reason === 'CannotImprove');
    if (isQuiet && site.spread() < DEFAULTS.loadBalanceMinSpread) isSettled = true;
    if (isSettled) break;
  }
  const moved = site.moves.flatMap((move) => move.users);
  return {
    seed,
    backends,
    actingCycles: site.moves.length,
    isSettled,
    movesOverMinimum: moved.length / minimum,
    thrash: 1 - new Set(moved).size / Math.max(1, moved.length),
    spread: site.spread(),
  };
}

describe('rebalance_sites in closed loop', () => {
  it(
    'settles one Backend at twice the mean, on 100 seeds, without thrash',
    { timeout: 120_000 },
    () => {
      for (const seed of SEEDS) {
        const outcome = run(seed);
        const said = JSON.stringify(outcome);
        expect(outcome.isSettled, said).toBe(true);
        expect(outcome.actingCycles, said).toBeLessThanOrEqual(MAX_ACTING_CYCLES);
        expect(outcome.movesOverMinimum, said).toBeLessThanOrEqual(1.3);
        expect(outcome.thrash, said).toBeLessThanOrEqual(0.02);
      }
    },
  );

  it('does nothing about noise below the least spread', () => {
    for (const seed of SEEDS.slice(0, 10)) {
      const backends = 2 + (seed % 6);
      const site = new SimulatedSite({ seed, backends, users: 50_000, hotFactor: 1, noise: 0.03 });
      for (let cycle = 0; cycle < 60; cycle += 1) site.cycle();
      expect(site.moves, `seed ${String(seed)}`).toEqual([]);
    }
  });

  it('balances a site of two when its metrics agree', () => {
    const site = new SimulatedSite({ seed: 7, backends: 2, users: 50_000, hotFactor: 2, noise: 0 });
    for (let cycle = 0; cycle < 300; cycle += 1) site.cycle();
    expect(site.moves.length).toBeGreaterThan(0);
    expect(site.spread()).toBeLessThan(DEFAULTS.loadBalanceMinSpread * 1.5);
  });
});
