/** Samples gathered into the cells of a strip. */

/** One cell of the strip covers so much time, in milliseconds. */
export const CELL_MS = 10_000;
export const CELLS = 30;

/** Worst ratio seen in a cell; null: nothing was measured then. */
export type Cell = number | null;

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
