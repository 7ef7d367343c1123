/** Times and durations. Events bear absolute times, freshness bears an age, estimates are ranges. */
import { MISSING } from './number.ts';

export type Zone = 'utc' | 'local';

const DAY_MS = 86_400_000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun'].concat([
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
]);
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

interface Parts {
  readonly year: number;
  readonly month: string;
  readonly day: number;
  readonly weekday: string;
  readonly clock: string;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function partsOf(ms: number, zone: Zone): Parts {
  const date = new Date(ms);
  const isUtc = zone === 'utc';
  const clock = isUtc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return {
    year: isUtc ? date.getUTCFullYear() : date.getFullYear(),
    month: MONTHS[isUtc ? date.getUTCMonth() : date.getMonth()] ?? '',
    day: isUtc ? date.getUTCDate() : date.getDate(),
    weekday: WEEKDAYS[isUtc ? date.getUTCDay() : date.getDay()] ?? '',
    clock: clock.map(two).join(':'),
  };
}

/** "03:12:40". */
export function clockTime(ms: number | null | undefined, zone: Zone = 'utc'): string {
  return ms === null || ms === undefined ? MISSING : partsOf(ms, zone).clock;
}

/** "Tue 6 Oct". */
export function dayOf(ms: number, zone: Zone = 'utc'): string {
  const { weekday, day, month } = partsOf(ms, zone);
  return `${weekday} ${day} ${month}`;
}

/** The time alone on the same day, "5 Oct 18:04" within the year, else with the year. */
export function eventTime(
  ms: number | null | undefined,
  nowMs: number,
  zone: Zone = 'utc',
): string {
  if (ms === null || ms === undefined) return MISSING;
  const then = partsOf(ms, zone);
  const now = partsOf(nowMs, zone);
  const isSameDay = then.day === now.day && Math.abs(nowMs - ms) < DAY_MS;
  if (isSameDay) return then.clock;
  const short = `${then.day} ${then.month}`;
  const time = then.clock.slice(0, 5);
  return then.year === now.year ? `${short} ${time}` : `${short} ${then.year} ${time}`;
}

/** Everything, for titles: "Tue 6 Oct 2026 03:12:40 UTC". */
export function fullTime(ms: number, zone: Zone = 'utc'): string {
  const { weekday, day, month, year, clock } = partsOf(ms, zone);
  return `${weekday} ${day} ${month} ${year} ${clock} ${zone === 'utc' ? 'UTC' : 'local time'}`;
}

/** Two units at most: "3 s", "4 min 12 s", "26 h 12 min", "53 d". */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return MISSING;
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return twoUnits(Math.floor(total / 60), 'min', total % 60, 's');
  if (total < 48 * 3600) {
    return twoUnits(Math.floor(total / 3600), 'h', Math.floor((total % 3600) / 60), 'min');
  }
  return twoUnits(Math.floor(total / 86_400), 'd', Math.floor((total % 86_400) / 3600), 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** One unit, for tight places: "3 s", "4 min", "26 h". */
export function shortAge(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return MISSING;
  const total = Math.max(0, Math.round(seconds));
  if (total < 90) return `${total} s`;
  if (total < 90 * 60) return `${Math.round(total / 60)} min`;
  if (total < 48 * 3600) return `${Math.round(total / 3600)} h`;
  return `${Math.round(total / 86_400)} d`;
}

/** Milliseconds that something took: "41 ms", "1.8 s", "4 min 8 s". */
export function took(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return MISSING;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return duration(ms / 1000);
}

/** An estimate, always a range: "19–27 min". */
export function estimate(lowSeconds: number, highSeconds: number): string {
  const low = Math.max(0, lowSeconds);
  const high = Math.max(low, highSeconds);
  const [unit, size] = high < 120 ? ['s', 1] : high < 7200 ? ['min', 60] : (['h', 3600] as const);
  const from = Math.floor(low / size);
  const to = Math.max(from + 1, Math.ceil(high / size));
  return from === 0 ? `under ${to} ${unit}` : `${from}–${to} ${unit}`;
}

/** The rhythm of a task: 5 -> "5 s", 86400 -> "24 h". */
export function every(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return MISSING;
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds > 60 && seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}
