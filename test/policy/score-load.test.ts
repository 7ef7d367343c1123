import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scoreLoad, type MeasuredLoad } from '../../workflows/policy/score-load.ts';
import { settings } from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

function loaded(cpu: number | null, memory = cpu, metacache = cpu, loadFactor = 100): MeasuredLoad {
  return { loadFactor, load: { cpu, memory, metacache } };
}

describe('scoreLoad', () => {
  it('sums the z-scores of the metrics: 0 is the mean of the site', () => {
    const { scores, scoring } = scoreLoad([loaded(1), loaded(2), loaded(3)], settings);
    const z = 1 / Math.sqrt(2 / 3);
    expect(scoring).toEqual(['cpu', 'memory', 'metacache']);
    expect(scores[0]).toBeCloseTo(-3 * z);
    expect(scores[1]).toBeCloseTo(0);
    expect(scores[2]).toBeCloseTo(3 * z);
  });

  it('compares a Backend of high memory and low CPU fairly with its opposite', () => {
    const { scores } = scoreLoad([loaded(2, 1, null), loaded(1, 2, null)], settings);
    expect(scores).toEqual([0, 0]);
  });

  it('takes the load factor as capacity', () => {
    const { scores } = scoreLoad([loaded(2, 2, 2, 100), loaded(1, 1, 1, 50)], settings);
    expect(scores).toEqual([0, 0]);
  });

  it('scores nothing on a spread below the least one, on no load, and on a missing metric', () => {
    expect(scoreLoad([loaded(100), loaded(101)], settings).scoring).toEqual([]);
    expect(scoreLoad([loaded(0), loaded(0)], settings).scores).toEqual([0, 0]);
    expect(scoreLoad([loaded(1, null, 1), loaded(9, 2, 9)], settings).scoring).toEqual([
      'cpu',
      'metacache',
    ]);
    expect(scoreLoad([loaded(5)], settings).scores).toEqual([0]);
    expect(scoreLoad([loaded(Number.NaN), loaded(1)], settings).scoring).toEqual([]);
  });

  it('is finite, sums up to 0, and does not change when all loads are scaled', () => {
    const load = fc.integer({ min: 0, max: 1_000_000_000 });
    const backend = fc.tuple(load, load, load, fc.integer({ min: 1, max: 100 }));
    const site = fc.array(backend, { minLength: 1, maxLength: 12 });
    holdsFor(fc.tuple(site, fc.constantFrom(2, 0.5, 1024)), ([given, factor]) => {
      const scaled = given.map(([a, b, c, lf]) => loaded(a * factor, b * factor, c * factor, lf));
      const { scores } = scoreLoad(
        given.map(([a, b, c, lf]) => loaded(a, b, c, lf)),
        settings,
      );
      expect(scores.every(Number.isFinite)).toBe(true);
      expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 5);
      scoreLoad(scaled, settings).scores.forEach((score, index) => {
        expect(score).toBeCloseTo(scores[index] ?? 0, 5);
      });
    });
  });
});
