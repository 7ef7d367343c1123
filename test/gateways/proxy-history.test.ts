import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Series } from '../../gateways/prometheus/prometheus-api.ts';
import { ProxyHistory } from '../../gateways/prometheus/proxy-history.ts';
import { prometheusConfig } from './prometheus-rig.ts';

const { counters } = prometheusConfig('http://localhost:9090');
const KEPT_SECS = 60;
const INTERVAL = 5;

const labels = (name: string, instance: string, target = ''): Record<string, string> => ({
  __name__: name,
  ...(target === '' ? {} : { dest_host: target }),
  instance,
});

/** What a Prometheus that knows these samples answers for the last `rangeSecs`. */
function answer(all: readonly Series[], nowSecs: number, rangeSecs: number): Series[] {
  return all.flatMap((series) => {
    const kept = series.times.flatMap((atSecs, index) =>
      atSecs >= nowSecs - rangeSecs && atSecs <= nowSecs ? [index] : [],
    );
    if (kept.length === 0) return [];
    return [
      {
        labels: { ...series.labels },
        times: kept.map((index) => series.times[index] ?? 0),
        values: kept.map((index) => series.values[index] ?? 0),
      },
    ];
  });
}

function scrapedUntil(endSecs: number): Series[] {
  const times = Array.from({ length: endSecs / INTERVAL }, (_, index) => (index + 1) * INTERVAL);
  const values = times.map((atSecs) => atSecs * 2);
  return [
    { labels: labels('up', 'p1'), times, values: times.map(() => 1) },
    { labels: labels(counters.loginSucceeded, 'p1', 'mail1'), times, values },
    {
      labels: labels(counters.loginFailed, 'p1', 'mail1'),
      times: times.slice(20),
      values: [...values.slice(20)],
    },
  ];
}

function newHistory(): ProxyHistory {
  const history = new ProxyHistory(counters);
  history.keep(KEPT_SECS);
  return history;
}

describe('ProxyHistory', () => {
  it('knows after any rhythm of reads what one whole read would tell', () => {
    const all = scrapedUntil(1000);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 12 }),
        (steps) => {
          const history = newHistory();
          let nowSecs = 100;
          for (const step of steps) {
            nowSecs += step;
            history.take(answer(all, nowSecs, history.rangeSecs(nowSecs)), nowSecs);
          }
          const whole = newHistory();
          whole.take(answer(all, nowSecs, KEPT_SECS), nowSecs);
          expect(history.counters()).toEqual(whole.counters());
          expect(history.scrapes()).toEqual(whole.scrapes());
        },
      ),
    );
  });

  it('asks for little when it knows the rest, and for all of it at first and after a long pause', () => {
    const all = scrapedUntil(1000);
    const history = newHistory();
    expect(history.rangeSecs(500)).toBe(KEPT_SECS);
    history.take(answer(all, 500, KEPT_SECS), 500);
    expect(history.rangeSecs(502)).toBe(2 + 2 * INTERVAL);
    expect(history.rangeSecs(900)).toBe(KEPT_SECS);
  });

  it('asks again from where samples ended, not from when it last asked: they may come late', () => {
    const history = newHistory();
    history.take(answer(scrapedUntil(470), 500, KEPT_SECS), 500);
    expect(history.rangeSecs(505)).toBe(35 + 2 * INTERVAL);
  });

  it('asks for everything again when a longer look-back is wanted', () => {
    const all = scrapedUntil(1000);
    const history = newHistory();
    history.take(answer(all, 500, KEPT_SECS), 500);
    history.keep(4 * KEPT_SECS);
    expect(history.rangeSecs(501)).toBe(4 * KEPT_SECS);
    expect(history.counters()).toEqual([]);
  });

  it('forgets what is older than what is kept', () => {
    const history = newHistory();
    history.take(answer(scrapedUntil(1000), 500, 400), 500);
    const [first] = history.counters();
    expect([first?.times[0], first?.times.at(-1)]).toEqual([440, 500]);
    history.take([], 700);
    expect([history.counters(), history.scrapes()]).toEqual([[], []]);
  });

  it('takes no sample of the future, which would hide all that come', () => {
    const history = newHistory();
    const future = { labels: labels('up', 'p1'), times: [495, 9e9], values: [1, 1] };
    history.take([future], 500);
    history.take(answer(scrapedUntil(1000), 505, 10), 505);
    expect(history.scrapes()[0]?.times).toEqual([495, 500, 505]);
  });

  it('does not say when a proxy was scraped that is scraped twice', () => {
    const twice = [scrapedUntil(100)[0], scrapedUntil(100)[0]].map((series, index) => ({
      ...(series as Series),
      labels: { ...labels('up', 'p1'), port: String(index) },
    }));
    const history = newHistory();
    history.take([...twice, { ...(twice[0] as Series), labels: labels('up', 'p2') }], 100);
    expect([...history.scrapesByProxy().keys()]).toEqual(['p2']);
  });

  it('knows that no counter names its Backend any more, whatever former ones did', () => {
    const [up, counter] = scrapedUntil(200) as [Series, Series];
    const unlabelled = { ...counter, labels: labels(counters.loginSucceeded, 'p1') };
    const history = newHistory();
    history.take(answer([up, counter], 150, KEPT_SECS), 150);
    expect(history.isEveryTargetMissing()).toBe(false);
    history.take(answer([up, unlabelled], 170, 20), 170);
    expect(history.isEveryTargetMissing()).toBe(true);
  });

  it('names a counter whose newest value is no number, for as long as its proxy is scraped', () => {
    const [up, counter] = scrapedUntil(100) as [Series, Series];
    const spoilt = { ...counter, values: [...counter.values.slice(0, -1), Number.NaN] };
    const history = newHistory();
    history.take([up, spoilt], 100);
    expect(history.spoiltCounter()).toBe(counters.loginSucceeded);
    history.take(answer([scrapedUntil(200)[0] as Series], 140, 40), 140);
    expect(history.spoiltCounter()).toBeNull();
  });
});
