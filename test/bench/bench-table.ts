/** What a table of `npm run bench` is, and how its figures are written. */
import type { Figures } from '../system/figures.ts';

export interface BenchTable {
  readonly name: string;
  /** What it answers, in one sentence. */
  readonly question: string;
  run(bench: Bench): Promise<Measured>;
}

export interface Bench {
  /** A folder of this table, for the state of what it starts. */
  readonly stateDir: string;
  readonly net: number | 'free';
  /** How often each row is measured. */
  readonly runs: number;
  /** Share of the full size (users, seconds), 1 unless something is only tried out. */
  readonly scale: number;
  readonly print: (line: string) => void;
  /** Promises of the product that this table measures, with their limits. */
  readonly figures: Figures;
}

/** A table as it stands in docs/performance.md. */
export interface Measured {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table: what shared the cores, what the bottleneck was, where we are behind. */
  readonly notes: readonly string[];
}

/** @param share 0 to 1 @returns the value at that share of the sorted values; NaN of none */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[index] ?? Number.NaN;
}

/** The median with its spread, as `12.3 [11.0-14.2]`; a single value stands alone. */
export function spread(values: readonly number[], digits = 1): string {
  const text = (value: number): string => value.toFixed(digits);
  if (values.length === 0) return '-';
  const median = text(quantile(values, 0.5));
  if (values.length === 1) return median;
  return `${median} [${text(Math.min(...values))}-${text(Math.max(...values))}]`;
}
