import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../workflows/domain/assert.ts';
import { lookBacksOf } from '../../workflows/domain/policy-settings.ts';
import { settings } from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

describe('lookBacksOf', () => {
  it('gives the look-backs of the lab in ascending order', () => {
    expect(lookBacksOf(settings)).toEqual([10, 15, 20, 40, 150, 300]);
  });

  it('gives each once, ascending, none above 300 s', () => {
    const secs = fc.integer({ min: 1, max: 400 });
    const windows = fc.record({
      failureCriticalWindowSecs: secs,
      failureWindowSecs: secs,
      recoveryWindowSecs: secs,
    });
    holdsFor(windows, (given) => {
      const all = lookBacksOf({ ...settings, ...given });
      expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
      expect(Math.max(...all)).toBe(300);
    });
  });
});

describe('assert', () => {
  it('throws what was claimed where it is false, and nothing where it is true', () => {
    expect(() => {
      assert(1 > 2, 'one is more than two');
    }).toThrow('assertion failed: one is more than two');
    expect(() => {
      assert(2 > 1, 'two is more than one');
    }).not.toThrow();
  });
});
