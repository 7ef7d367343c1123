/** docs/performance.md: one section a table, written anew by each run of it. */
import { cpus, loadavg, totalmem } from 'node:os';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { countFigures, type Figure } from '../system/figures.ts';
import type { BenchTable, Measured } from './bench-table.ts';

const HEAD = `# Performance

Written by \`npm run bench -- <table>\`; each table stands beside its alternative and the physical floor, measured in the same
run. Medians with their spread in brackets. Compare ratios, not figures: they are of one machine, and it was not idle.
`;

/** Replaces the section of this table, or adds it. */
export function writeSection(file: string, table: BenchTable, section: string): void {
  const page = existsSync(file) ? readFileSync(file, 'utf8') : HEAD;
  const begin = `<!-- ${table.name} -->`;
  const end = `<!-- end of ${table.name} -->`;
  const text = `${begin}\n\n${section}\n${end}\n`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  const isThere = from >= 0 && to > from;
  const next = isThere
    ? `${page.slice(0, from)}${text}${page.slice(to + end.length + 1)}`
    : `${page.trimEnd()}\n\n${text}`;
  writeFileSync(file, next);
}

export function printSection(
  table: BenchTable,
  measured: Measured,
  promises: readonly Figure[],
): string {
  const lines = [
    `## ${table.name}`,
    '',
    table.question,
    '',
    ...printTable(measured.columns, measured.rows),
  ];
  if (promises.length > 0) lines.push('', ...printTable(...promiseRows(promises)));
  if (measured.notes.length > 0) lines.push('', ...measured.notes.map((note) => `* ${note}`));
  lines.push('', `Machine: ${machine()}; load at the end ${(loadavg()[0] ?? 0).toFixed(1)}.`);
  const { passed, failed } = countFigures(promises);
  if (passed + failed > 0) lines.push(`Promises kept: ${passed} of ${passed + failed}.`);
  return `${lines.join('\n')}\n`;
}

function promiseRows(promises: readonly Figure[]): [string[], string[][]] {
  const rows = promises.map(({ name, figure, limit, isOk }) => [
    name,
    figure,
    limit,
    limit === '' ? '' : isOk ? 'kept' : 'not kept',
  ]);
  return [['promise', 'figure', 'limit', ''], rows];
}

function printTable(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '/')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)];
}

function machine(): string {
  const cores = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${memory} GiB`;
}
