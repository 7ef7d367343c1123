/** What a run measured, with the limit that each figure has to keep. */
import { loadavg } from 'node:os';

export interface Figure {
  /** Which promise it belongs to: A2, A3, A4, A6. */
  readonly point: string;
  readonly name: string;
  readonly figure: string;
  /** Empty: stated, not judged. */
  readonly limit: string;
  readonly isOk: boolean;
  /** Load average of the last minute when it was measured: figures of a busy machine are worse. */
  readonly load: number;
}

export interface Figures {
  readonly all: readonly Figure[];
  /** Passes where the value is known and at most the limit. */
  atMost(point: string, name: string, value: number | null, limit: number, unit: string): void;
  /** Passes where the list is empty; otherwise its first entries are the figure. */
  none(point: string, name: string, found: readonly string[]): void;
  holds(point: string, name: string, figure: string, limit: string, isOk: boolean): void;
  /** A figure without a limit. */
  state(point: string, name: string, figure: string): void;
}

const SHOWN_ENTRIES = 3;

/** @param onFigure told at once, so that a long run shows where it is */
export function createFigures(onFigure: (figure: Figure) => void = () => undefined): Figures {
  const all: Figure[] = [];
  const add = (figure: Omit<Figure, 'load'>): void => {
    const measured = { ...figure, load: loadavg()[0] ?? 0 };
    all.push(measured);
    onFigure(measured);
  };
  return {
    all,
    atMost(point, name, value, limit, unit) {
      const isOk = value !== null && value <= limit;
      const figure = value === null ? 'never' : `${round(value)} ${unit}`;
      add({ point, name, figure, limit: `<= ${limit} ${unit}`, isOk });
    },
    none(point, name, found) {
      const more = found.length > SHOWN_ENTRIES ? ', ...' : '';
      const shown = found.slice(0, SHOWN_ENTRIES).join(', ');
      const figure = found.length === 0 ? '0' : `${found.length}: ${shown}${more}`;
      add({ point, name, figure, limit: '0', isOk: found.length === 0 });
    },
    holds: (point, name, figure, limit, isOk) => {
      add({ point, name, figure, limit, isOk });
    },
    state: (point, name, figure) => {
      add({ point, name, figure, limit: '', isOk: true });
    },
  };
}

/** Figures that had a limit, counted. */
export function countFigures(all: readonly Figure[]): { passed: number; failed: number } {
  const judged = all.filter(({ limit }) => limit !== '');
  const passed = judged.filter(({ isOk }) => isOk).length;
  return { passed, failed: judged.length - passed };
}

export function printFigures(all: readonly Figure[]): string {
  const rows = [
    ['point', 'what', 'figure', 'limit', 'ok', 'load'],
    ...all.map((one) => [
      one.point,
      one.name,
      one.figure,
      one.limit,
      one.limit === '' ? '' : one.isOk ? 'ok' : 'FAILED',
      one.load.toFixed(1),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
