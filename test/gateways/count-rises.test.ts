import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countAttempts } from '../../gateways/prometheus/count-attempts.ts';
import { countRises } from '../../gateways/prometheus/count-rises.ts';
import type { Samples, Scrapes } from '../../gateways/prometheus/count-rises.ts';

const INTERVAL = 5;
const NOW = 1000;
const REACH = 3 * INTERVAL;

/** Scraped every 5 s, the last time at 1000; a null stands for a scrape without the series. */
function sampled(...values: (number | null)[]): Samples {
  const all = values.map((value, index) => ({
    atSecs: NOW - INTERVAL * (values.length - 1 - index),
    value,
  }));
  const there = all.filter((one): one is { atSecs: number; value: number } => one.value !== null);
  return { times: there.map((one) => one.atSecs), values: there.map((one) => one.value) };
}

const scraped = (...values: (number | null)[]): Scrapes => ({
  ...sampled(...values),
  intervalSecs: INTERVAL,
});

function count(series: Samples, scrapes: Scrapes | null, ...windowsSecs: number[]): number[] {
  return countRises(series, scrapes, { nowSecs: NOW, windowsSecs, reachSecs: REACH });
}

describe('countRises: an ordinary series', () => {
  const series = sampled(10, 12, 12, 17, 20, 21);
  const scrapes = scraped(1, 1, 1, 1, 1, 1);

  it('counts the difference to the last scrape before each look-back', () => {
    expect(count(series, scrapes, 5, 10, 15, 20, 25)).toEqual([1, 4, 9, 9, 11]);
  });

  it('counts what there is where a look-back begins before all samples', () => {
    expect(count(series, scrapes, 30, 300)).toEqual([11, 11]);
  });

  it('counts nothing where nothing rose, where there is one sample, and where there is none', () => {
    expect(count(sampled(7, 7, 7), scraped(1, 1, 1), 10)).toEqual([0]);
    expect(count(sampled(7), null, 10)).toEqual([0]);
    expect(count(sampled(), scraped(1, 1, 1), 10)).toEqual([0]);
  });

  it('keeps fractions for the sum over all series', () => {
    expect(count(sampled(0.25, 1), scraped(1, 1), 10)).toEqual([0.75]);
  });
});

describe('countRises: a series that appears', () => {
  it('counts from 0 where its proxy was scraped before without it', () => {
    expect(count(sampled(null, null, 3, 4), scraped(1, 1, 1, 1), 5, 10, 300)).toEqual([1, 4, 4]);
  });

  it('begins to count where the proxy itself just became visible', () => {
    expect(count(sampled(null, null, 5000, 5001), scraped(null, null, 1, 1), 300)).toEqual([1]);
  });

  it('begins to count where the proxy could not be scraped before', () => {
    expect(count(sampled(null, null, 5000, 5001), scraped(0, 0, 1, 1), 300)).toEqual([1]);
  });

  it('counts from 0 after an outage in which it was born, in look-backs that hold all of it', () => {
    const born = sampled(null, null, null, null, null, null, 40, 41);
    const outage = scraped(1, 1, 0, 0, 0, 0, 1, 1);
    expect(count(born, outage, 10, 30, 35)).toEqual([1, 41, 41]);
    expect(count(born, outage, 14)).toEqual([1]);
  });

  it('is never taken for new where scrapes are not known', () => {
    expect(count(sampled(null, 3, 4), null, 300)).toEqual([1]);
  });
});

describe('countRises: restarts', () => {
  it('counts all of the value after a fall', () => {
    expect(count(sampled(100, 108, 4, 6), scraped(1, 1, 1, 1), 5, 10, 15)).toEqual([2, 6, 14]);
  });

  it('counts all of the value after scrapes without the series, even where it is higher', () => {
    const series = sampled(5, 6, null, null, 9, 9);
    expect(count(series, scraped(1, 1, 1, 1, 1, 1), 5, 10, 300)).toEqual([0, 9, 10]);
  });

  it('counts the difference where only the scrapes are missing', () => {
    expect(count(sampled(5, 6, null, null, 9), scraped(1, 1, 0, 0, 1), 300)).toEqual([4]);
    expect(count(sampled(5, 6, null, null, 9), scraped(1, 1, null, null, 1), 300)).toEqual([4]);
  });

  it('ends with a series that ended', () => {
    expect(count(sampled(1, 4, null, null, null), scraped(1, 1, 1, 1, 1), 10, 300)).toEqual([0, 3]);
  });
});

describe('countRises: gaps', () => {
  it('leaves out what rose over the beginning of a look-back, if nobody could see it for long', () => {
    const series = sampled(1, null, null, null, null, null, 1001, 1007);
    const scrapes = scraped(1, 0, 0, 0, 0, 0, 1, 1);
    expect(count(series, scrapes, 6, 10, 19, 35)).toEqual([6, 6, 6 + 0, 1006]);
  });

  it('allows for a scrape or two that were missed', () => {
    const series = sampled(1, null, null, 9, 9);
    expect(count(series, scraped(1, 0, 0, 1, 1), 6, 10)).toEqual([8, 8]);
  });

  it('passes over what is no number: neither a restart nor an absence', () => {
    const scrapes = scraped(1, 1, 1, 1);
    expect(count(sampled(5, NaN, 7, 8), scrapes, 300)).toEqual([3]);
    expect(count(sampled(5, Infinity, -1, 8), scrapes, 300)).toEqual([3]);
    expect(count(sampled(null, NaN, 7, 8), scrapes, 300)).toEqual([1]);
    expect(count(sampled(5, 6, NaN, NaN), scrapes, 300)).toEqual([1]);
  });
});

describe('countRises: times that are not those of the scrapes', () => {
  it('belong to the scrape that is nearest: nothing looks absent', () => {
    const scrapes = scraped(1, 1, 1, 1, 1);
    for (const shift of [-2.4, -1, 0.5, 2.4]) {
      const { times, values } = sampled(10, 11, 12, 13, 14);
      const shifted = { times: times.map((atSecs) => atSecs + shift), values };
      expect(count(shifted, scrapes, 300), `shifted by ${shift}`).toEqual([4]);
    }
  });

  it('may jitter', () => {
    const scrapes = { times: [980, 985.4, 989.7, 995, 1000], values: [1, 1, 1, 1, 1] };
    const series = { times: scrapes.times, values: [1, 2, 3, 4, 5] };
    expect(count(series, { ...scrapes, intervalSecs: 5 }, 300)).toEqual([4]);
  });
});

/** What happened between two scrapes, and whether the second one worked. */
interface Step {
  readonly events: number;
  readonly isRestarted: boolean;
  readonly isScraped: boolean;
}

const step = fc.record({
  events: fc.integer({ min: 0, max: 5 }),
  isRestarted: fc.boolean(),
  isScraped: fc.boolean(),
});
const calmStep = fc.record({
  events: fc.integer({ min: 0, max: 5 }),
  isRestarted: fc.constant(false),
  isScraped: fc.constant(true),
});

/** A Dovecot that is scraped: a series exists from its first event on, and a restart forgets it. */
function play(steps: readonly Step[]): { series: Samples; scrapes: Scrapes; happened: number } {
  let value = 0;
  let happened = 0;
  const values: (number | null)[] = [];
  for (const { events, isRestarted, isScraped } of steps) {
    if (isRestarted) value = 0;
    value += events;
    happened += events;
    values.push(isScraped && value > 0 ? value : null);
  }
  const scrapes = scraped(...steps.map(({ isScraped }) => (isScraped ? 1 : 0)));
  return { series: sampled(...values), scrapes, happened };
}

const LONG = 100_000;
const VISIBLE: Step = { events: 0, isRestarted: false, isScraped: true };

describe('countRises: properties', () => {
  it('counts every event of a proxy that is scraped all the time, the first ones too', () => {
    fc.assert(
      fc.property(fc.array(calmStep, { minLength: 1, maxLength: 40 }), (steps) => {
        const { series, scrapes, happened } = play([VISIBLE, ...steps]);
        expect(count(series, scrapes, LONG)).toEqual([happened]);
      }),
    );
  });

  it('never counts more than happened, whatever restarts and fails to be scraped', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const { series, scrapes, happened } = play(steps);
        expect(count(series, scrapes, LONG)[0]).toBeLessThanOrEqual(happened);
      }),
    );
  });

  it('never counts less in a longer look-back, and adds up over adjoining ones', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 40 }), (steps) => {
        const { series, scrapes } = play(steps);
        const windows = [5, 10, 20, 40, 80, 160];
        const counts = count(series, scrapes, ...windows);
        expect(counts).toEqual([...counts].sort((a, b) => a - b));
        expect(counts).toEqual(windows.map((window) => count(series, scrapes, window)[0]));
      }),
    );
  });
});

describe('countAttempts', () => {
  const lookBacks = { nowSecs: NOW, windowsSecs: [10, 300], reachSecs: REACH };
  const of = (counter: 'loginSucceeded' | 'deliveryFailed', proxy: string, target: string) => ({
    counter,
    proxy,
    target,
  });

  it('sums proxies and series of one Backend, and sorts Backends and kinds apart', () => {
    const scrapes = new Map([
      ['p1', scraped(1, 1, 1)],
      ['p2', scraped(0, 1, 1)],
    ]);
    const counted = countAttempts(
      [
        { ...of('loginSucceeded', 'p1', 'mail2'), ...sampled(1, 2, 4) },
        { ...of('loginSucceeded', 'p2', 'mail2'), ...sampled(null, 90, 95) },
        { ...of('deliveryFailed', 'p1', 'mail1'), ...sampled(null, null, 6) },
      ],
      scrapes,
      lookBacks,
    );
    const none = { succeeded: 0, failed: 0 };
    expect(Object.keys(counted)).toEqual(['mail1', 'mail2']);
    expect(counted['mail2']).toEqual([
      { windowSecs: 10, logins: { succeeded: 8, failed: 0 }, deliveries: none },
      { windowSecs: 300, logins: { succeeded: 8, failed: 0 }, deliveries: none },
    ]);
    expect(counted['mail1']?.[0]).toEqual({
      windowSecs: 10,
      logins: none,
      deliveries: { succeeded: 0, failed: 6 },
    });
  });

  it('counts whole events: fractions are rounded once, after all is summed', () => {
    const series = { ...of('loginSucceeded', 'p1', 'mail1'), ...sampled(0, 0.4) };
    const [window] = countAttempts([series, series, series], new Map(), lookBacks)['mail1'] ?? [];
    expect(window?.logins.succeeded).toBe(1);
  });
});
