/** Failure rates since this page was opened: a small ring, kept by the browser, lost with the page. */
import type { Overview } from '../api/model.ts';
import { CELL_MS, CELLS, cellsOf, type Cell } from './cells.ts';

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
