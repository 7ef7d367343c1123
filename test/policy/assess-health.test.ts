import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assessHealth, isFailing, isWorse } from '../../workflows/policy/assess-health.ts';
import { counts, history, logins, LOOK_BACKS, settings } from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

/** The lab: critical over 0.9 in 10 s, degraded over 0.1 in 20 s, 20 attempts. */
const verdictOf = (...windows: Parameters<typeof assessHealth>[0]) =>
  assessHealth(windows, settings).verdict;

describe('assessHealth', () => {
  it.each([
    { name: 'no look-back at all', windows: [], expected: 'unknown' },
    { name: 'no attempts', windows: [logins(10, 0, 0), logins(20, 0, 0)], expected: 'unknown' },
    {
      name: 'one attempt too few for a verdict',
      windows: [logins(10, 0, 19), logins(20, 0, 19), logins(300, 0, 19)],
      expected: 'unknown',
    },
    {
      name: 'exactly enough attempts',
      windows: [logins(10, 0, 20), logins(20, 0, 20)],
      expected: 'critical',
    },
    {
      name: 'exactly the critical ratio',
      windows: [logins(10, 10, 90), logins(20, 10, 90)],
      expected: 'degraded',
    },
    {
      name: 'just above the critical ratio',
      windows: [logins(10, 9, 91), logins(20, 9, 91)],
      expected: 'critical',
    },
    {
      name: 'exactly the degraded ratio',
      windows: [logins(10, 90, 10), logins(20, 90, 10)],
      expected: 'healthy',
    },
    {
      name: 'just above the degraded ratio',
      windows: [logins(10, 89, 11), logins(20, 89, 11)],
      expected: 'degraded',
    },
    {
      name: 'failures that began within the critical look-back only',
      windows: [logins(10, 0, 40), logins(20, 40, 40)],
      expected: 'critical',
    },
    {
      name: 'failures that ended within the critical look-back',
      windows: [logins(10, 40, 0), logins(20, 40, 40)],
      expected: 'degraded',
    },
    {
      name: 'few attempts: the look-back grows until there are enough',
      windows: [logins(10, 0, 5), logins(20, 0, 10), logins(40, 0, 20)],
      expected: 'critical',
    },
    {
      name: 'a critical look-back alone says nothing about healthy',
      windows: [logins(10, 40, 0)],
      expected: 'unknown',
    },
    {
      name: 'a look-back shorter than the critical one does not count',
      windows: [logins(5, 0, 100), logins(20, 100, 0)],
      expected: 'healthy',
    },
  ])('judges $name: $expected', ({ windows, expected }) => {
    expect(verdictOf(...windows)).toBe(expected);
  });

  it('judges logins, deliveries and both apart, and the worst of the three is the verdict', () => {
    const windows = [10, 20].map((windowSecs) => ({
      windowSecs,
      logins: counts(400, 0),
      deliveries: counts(0, 25),
    }));
    expect(assessHealth(windows, settings)).toMatchObject({
      verdict: 'critical',
      judgedBy: 'deliveries',
      failureRatio: 1,
      attempts: 25,
      windowSecs: 10,
    });
  });

  it('judges both together where each alone has too few attempts', () => {
    const windows = [10, 20].map((windowSecs) => ({
      windowSecs,
      logins: counts(0, 10),
      deliveries: counts(0, 10),
    }));
    expect(assessHealth(windows, settings)).toMatchObject({
      verdict: 'critical',
      judgedBy: 'both',
    });
  });

  it('answers no ratio and no look-back where it cannot judge', () => {
    expect(assessHealth([], settings)).toEqual({
      verdict: 'unknown',
      judgedBy: null,
      failureRatio: null,
      attempts: 0,
      windowSecs: null,
    });
  });

  it('looks back no further than it is told', () => {
    const windows = history(
      { secs: 280, perSec: 4, failed: 0 },
      { secs: 20, perSec: 0.9, failed: 1 },
    );
    expect(assessHealth(windows, settings).verdict).not.toBe('unknown');
    expect(assessHealth(windows, settings, 20).verdict).toBe('unknown');
    expect(assessHealth(windows, settings, 0).verdict).toBe('unknown');
  });

  it('never looks back further than 300 s', () => {
    expect(assessHealth([logins(301, 0, 500)], settings, 1_000).verdict).toBe('unknown');
    expect(assessHealth([logins(300, 0, 500)], settings, 1_000).verdict).toBe('critical');
  });

  it('calls the programmer where counts are negative', () => {
    expect(() => verdictOf(logins(10, 40, -1))).toThrow('a failure ratio lies in 0..1');
  });

  it('is unchanged by more Backends, more proxies or a higher rate at the same ratio', () => {
    const rate = fc.record({
      perSec: fc.integer({ min: 3, max: 50 }),
      failed: fc.float({ min: 0, max: 1, noNaN: true }),
    });
    holdsFor(rate, ({ perSec, failed }) => {
      const once = assessHealth(history({ secs: 300, perSec, failed }), settings);
      const twice = assessHealth(history({ secs: 300, perSec: perSec * 2, failed }), settings);
      expect(twice.verdict).toBe(once.verdict);
    });
  });

  it('is never unknown with enough attempts and never judged with too few', () => {
    const parts = fc.array(fc.tuple(fc.nat(60), fc.nat(60)), {
      minLength: LOOK_BACKS.length,
      maxLength: LOOK_BACKS.length,
    });
    holdsFor(parts, (steps) => {
      let [succeeded, failed] = [0, 0];
      const windows = LOOK_BACKS.map((windowSecs, index) => {
        succeeded += steps[index]?.[0] ?? 0;
        failed += steps[index]?.[1] ?? 0;
        return logins(windowSecs, succeeded, failed);
      });
      const isJudged = assessHealth(windows, settings).verdict !== 'unknown';
      expect(isJudged).toBe(succeeded + failed >= settings.failureMinLogins);
    });
  });
});

describe('isWorse and isFailing', () => {
  it('orders unknown, healthy, degraded, critical', () => {
    const order = ['unknown', 'healthy', 'degraded', 'critical'] as const;
    for (const [a, verdict] of order.entries()) {
      for (const [b, than] of order.entries()) expect(isWorse(verdict, than)).toBe(a > b);
    }
    expect(order.map(isFailing)).toEqual([false, false, true, true]);
  });
});
