/** Shapes of the small charts, as SVG path data. What was not measured is a gap, never a zero. */
type Cell = number | null;

export interface Gap {
  readonly x: number;
  readonly width: number;
}

export interface Run {
  readonly start: number;
  readonly line: string;
  readonly area: string;
}

export interface Spark {
  readonly runs: readonly Run[];
  readonly gaps: readonly Gap[];
  readonly limitY: number | null;
  readonly isOverLimit: boolean;
}

export interface SparkOptions {
  readonly width: number;
  readonly height: number;
  readonly most: number | undefined;
  readonly limit: number | null;
}

/** Square-root scale, so that 0.4 % and 10 % can be told apart below 100 %. */
export function sparkline(cells: readonly Cell[], options: SparkOptions): Spark {
  const { width, height, limit } = options;
  const known = cells.filter((cell) => cell !== null);
  const most = Math.max(options.most ?? Math.max(0, ...known) * 1.25, 1e-9);
  const step = width / Math.max(1, cells.length);
  const y = (value: number) =>
    round(height - 1 - Math.sqrt(Math.min(1, Math.max(0, value) / most)) * (height - 2));
  const last = known.at(-1);
  return {
    runs: runsOf(cells, step, y, height),
    gaps: gapsOf(cells, step),
    limitY: limit === null ? null : y(limit),
    isOverLimit: limit !== null && last !== undefined && last > limit,
  };
}

function runsOf(
  cells: readonly Cell[],
  step: number,
  y: (value: number) => number,
  height: number,
): Run[] {
  const runs: Run[] = [];
  let points: string[] = [];
  let start = 0;
  const close = (end: number) => {
    if (points.length === 0) return;
    const line = `M${round(start * step)} ${points[0]}${points.map((p, i) => `L${round((start + i + 1) * step)} ${p}`).join('')}`;
    runs.push({
      start,
      line,
      area: `${line}L${round(end * step)} ${height}L${round(start * step)} ${height}Z`,
    });
    points = [];
  };
  for (const [index, cell] of cells.entries()) {
    if (cell === null) {
      close(index);
      continue;
    }
    if (points.length === 0) start = index;
    points.push(String(y(cell)));
  }
  close(cells.length);
  return runs;
}

function gapsOf(cells: readonly Cell[], step: number): Gap[] {
  const gaps: { x: number; width: number }[] = [];
  let open: { x: number; width: number } | null = null;
  for (const [index, cell] of cells.entries()) {
    if (cell !== null) {
      open = null;
      continue;
    }
    if (open === null) {
      open = { x: round(index * step), width: 0 };
      gaps.push(open);
    }
    open.width = round(open.width + step);
  }
  return gaps;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
