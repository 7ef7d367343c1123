/** Failure rates since this page was opened: a small ring, kept by the browser, lost with the page. */
import type { Overview } from '../api/model.ts';

/** One cell of the strip covers so much time, in milliseconds. */
export const CELL_MS = 10_000;
export const CELLS = 30;

/** Worst ratio seen in a cell; null: nothing was measured then. */
export type Cell = number | null;

interface Sample {
  readonly atMs: number;
  readonly ratio: number | null;
  readonly attemptsPerSec: number | null;
  readonly byHost: Readonly<Record<string, number | null>>;
}

let samples = $state.raw<readonly Sample[]>([]);

export const history = {
  add(overview: Overview): void {
    const known = !overview.metrics.isBlind;
    const sample: Sample = {
      atMs: overview.nowMs,
      ratio: known ? overview.counts.siteFailureRatio : null,
      attemptsPerSec: known ? overview.counts.attemptsPerSec : null,
      byHost: Object.fromEntries(
        overview.backends.map(({ host, failure }) => [
          host,
          known ? (failure?.worstRatio ?? null) : null,
        ]),
      ),
    };
    const oldest = overview.nowMs - CELL_MS * CELLS;
    samples = [...samples.filter(({ atMs }) => atMs > oldest), sample];
  },
  /** Of one Backend, oldest first. */
  ofBackend(host: string): readonly Cell[] {
    return cellsOf(samples.map(({ atMs, byHost }) => ({ atMs, value: byHost[host] ?? null })));
  },
  get ofSite(): readonly Cell[] {
    return cellsOf(samples.map(({ atMs, ratio }) => ({ atMs, value: ratio })));
  },
  get attempts(): readonly Cell[] {
    return cellsOf(samples.map(({ atMs, attemptsPerSec }) => ({ atMs, value: attemptsPerSec })));
  },
};

/** The worst value of each cell up to the newest sample; empty cells are null. */
export function cellsOf(
  points: readonly { readonly atMs: number; readonly value: number | null }[],
): readonly Cell[] {
  const cells: Cell[] = Array.from({ length: CELLS }, () => null);
  const newest = points.at(-1);
  if (newest === undefined) return cells;
  const last = Math.floor(newest.atMs / CELL_MS);
  for (const { atMs, value } of points) {
    const index = CELLS - 1 - (last - Math.floor(atMs / CELL_MS));
    const before = cells[index];
    if (index < 0 || value === null || before === undefined) continue;
    cells[index] = before === null ? value : Math.max(before, value);
  }
  return cells;
}
