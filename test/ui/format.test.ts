import { describe, expect, it } from 'vitest';
import { actorText } from '../../ui/src/format/actors.ts';
import {
  bytes,
  count,
  counted,
  listed,
  MISSING,
  percent,
  perSecond,
  signed,
  wholePercent,
} from '../../ui/src/format/number.ts';
import {
  clockTime,
  duration,
  estimate,
  eventTime,
  every,
  fullTime,
  shortAge,
  took,
} from '../../ui/src/format/time.ts';

const THIN = '\u202f';
const AT = Date.UTC(2026, 9, 6, 3, 12, 40);

describe('numbers', () => {
  it('have thousands separated by commas', () => {
    expect(count(1_203_482)).toBe('1,203,482');
  });

  it('are a dash where nothing is known, and 0 only where 0 was measured', () => {
    expect([count(null), percent(undefined), perSecond(Number.NaN)]).toEqual([
      MISSING,
      MISSING,
      MISSING,
    ]);
    expect([count(0), percent(0)]).toEqual(['0', `0${THIN}%`]);
  });

  it('show failure rates with one decimal and a thin space', () => {
    expect(percent(0.142)).toBe(`14.2${THIN}%`);
    expect(percent(0.0001)).toBe(`<0.1${THIN}%`);
  });

  it('round progress so that 100 % means complete and 0 % means nothing', () => {
    expect(wholePercent(0.9999)).toBe(`99${THIN}%`);
    expect(wholePercent(0.0001)).toBe(`1${THIN}%`);
    expect(wholePercent(1)).toBe(`100${THIN}%`);
  });

  it('bear a sign where they are load scores', () => {
    expect([signed(4.566), signed(-1.28), signed(0), signed(null)]).toEqual([
      '+4.57',
      '−1.28',
      '0.00',
      'n/a',
    ]);
  });

  it('count one and many', () => {
    expect([counted(1, 'User'), counted(2000, 'User')]).toEqual(['1 User', '2,000 Users']);
  });

  it('use binary units for memory', () => {
    expect([bytes(49_392_123_904), bytes(0), bytes(1536)]).toEqual(['46 GiB', '0 B', '1.5 KiB']);
  });

  it('shorten long lists of names', () => {
    expect(listed(['a', 'b'])).toBe('a and b');
    expect(listed(['a', 'b', 'c', 'd', 'e'])).toBe('a, b and 3 more');
  });
});

describe('times', () => {
  it('are UTC', () => {
    expect(clockTime(AT)).toBe('03:12:40');
    expect(fullTime(AT)).toBe('Tue 6 Oct 2026 03:12:40 UTC');
  });

  it('name the day where it is not today, and the year where it is not this one', () => {
    expect(eventTime(AT - 3_600_000, AT)).toBe('02:12:40');
    expect(eventTime(AT - 9 * 3_600_000, AT)).toBe('5 Oct 18:12');
    expect(eventTime(AT - 400 * 86_400_000, AT)).toBe('1 Sep 2025 03:12');
  });

  it('last two units at most', () => {
    expect([3, 252, 95_520, 53 * 86_400].map(duration)).toEqual([
      '3 s',
      '4 min 12 s',
      '26 h 32 min',
      '53 d',
    ]);
    expect(duration(null)).toBe(MISSING);
  });

  it('fit into tight places', () => {
    expect([3, 89, 626, 7200, 400_000].map(shortAge)).toEqual([
      '3 s',
      '89 s',
      '10 min',
      '2 h',
      '5 d',
    ]);
  });

  it('are estimated as ranges, never exactly', () => {
    expect(estimate(1160, 1600)).toBe('19–27 min');
    expect(estimate(0, 30)).toBe('under 30 s');
    expect(estimate(60, 60)).toBe('60–61 s');
  });

  it('say how long something took, and how often it runs', () => {
    expect([took(41), took(1800), took(248_000)]).toEqual(['41 ms', '1.8 s', '4 min 8 s']);
    expect([every(5), every(60), every(300), every(86_400)]).toEqual([
      '5 s',
      '60 s',
      '5 min',
      '24 h',
    ]);
  });
});

describe('actors', () => {
  it('are roles and tokens, not accounts', () => {
    expect(actorText('session:operator')).toBe('operator');
    expect(actorText('token:ci')).toBe('token “ci”');
    expect(actorText('check_backend_health')).toBe('check_backend_health');
    expect(actorText(null)).toBe('somebody');
  });
});
