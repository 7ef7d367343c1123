/** Numbers with their units, as operators read them. A missing value is a dash, never a zero. */

export const MISSING = '—';
const THIN = '\u202f';

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

type Maybe = number | null | undefined;

function isKnown(value: Maybe): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** 1203482 -> "1,203,482". */
export function count(value: Maybe): string {
  return isKnown(value) ? whole.format(value) : MISSING;
}

/** "1 User", "2,000 Users". */
export function counted(value: Maybe, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A ratio of 0 to 1 as per cent with one decimal: 0.142 -> "14.2 %". */
export function percent(ratio: Maybe): string {
  if (!isKnown(ratio)) return MISSING;
  const value = ratio * 100;
  const text = value > 0 && value < 0.05 ? '<0.1' : tenth.format(value);
  return `${text}${THIN}%`;
}

/** A ratio as whole per cent. 100 only when complete, 0 only when nothing: 0.997 -> "99 %". */
export function wholePercent(ratio: Maybe): string {
  if (!isKnown(ratio)) return MISSING;
  if (ratio <= 0) return `0${THIN}%`;
  if (ratio >= 1) return `100${THIN}%`;
  const value = Math.min(99, Math.max(1, Math.round(ratio * 100)));
  return `${value}${THIN}%`;
}

/** A value that is already per cent: 50 -> "50 %". */
export function percentValue(value: Maybe): string {
  return isKnown(value) ? `${tenth.format(value)}${THIN}%` : MISSING;
}

/** Per second, with a decimal only where it says something: 44 -> "44", 2.75 -> "2.8". */
export function perSecond(value: Maybe): string {
  if (!isKnown(value)) return MISSING;
  return Math.abs(value) >= 10 ? whole.format(value) : tenth.format(value);
}

/** A load score with its sign: 4.566 -> "+4.57", -1.28 -> "−1.28". */
export function signed(value: Maybe): string {
  if (!isKnown(value)) return 'n/a';
  const text = Math.abs(value).toFixed(2);
  if (text === '0.00') return text;
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** Binary units: 49392123904 -> "46 GiB". */
export function bytes(value: Maybe): string {
  if (!isKnown(value)) return MISSING;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${scaled < 10 && unit > 0 ? tenth.format(scaled) : whole.format(scaled)} ${units[unit]}`;
}

/** "mail01", "mail01 and mail02", "mail01, mail02 and 3 more". */
export function listed(names: readonly string[], shown = 3): string {
  if (names.length <= 1) return names[0] ?? '';
  if (names.length <= shown) {
    return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
  }
  return `${names.slice(0, shown - 1).join(', ')} and ${names.length - shown + 1} more`;
}
