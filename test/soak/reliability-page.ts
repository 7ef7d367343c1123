/** docs/reliability.md: one row a run of the soak, and the totals of all of them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** A row of the page. */
export interface RunRow {
  readonly seed: number;
  readonly seconds: number;
  readonly loginsPerSec: number;
  /** 0 to 1: of logins, faults included. */
  readonly failedShare: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly actions: number;
  readonly operations: Readonly<Record<string, number>>;
  readonly moves: number;
  readonly deliveries: number;
  readonly violations: number;
}

const COLUMNS = [
  'seed',
  'seconds',
  'logins/s',
  'failed',
  'faults',
  'operator',
  'operations',
  'moves',
  'deliveries',
  'violations',
] as const;

const HEAD = `# Reliability

Written by \`npm run soak -- --runs N --seconds S [--seed K]\`: a whole lab (two sites, 2,000 users, IMAP, POP3 and LMTP traffic) while
parts are killed, frozen, stopped and cut off from each other, Backends fail, doveadm answers nonsense, and an operator evacuates,
pauses, cancels and switches features at random. Then all of it is taken back, and when the site has come to rest by itself every
second of the run is judged: the sums of every operation, where everybody lives and is logged in, limits and cool times, what
automation may do and whom it may send where, and every acknowledged mail. The invariants are in \`test/soak/invariants/\`, faults and their
weights in \`test/soak/plan.ts\`; the same seed and length give the same plan.

A row with violations stays: what was wrong is in the changelog or in a test, and the seed runs again.
`;

/** Adds one row and puts the totals in line; a page that is not there is made. */
export function appendRun(file: string, row: RunRow): void {
  const rows = [...readRuns(file), row];
  writeFileSync(file, printPage(rows));
}

/** All rows of the page, as they stand; none where there is no page. */
export function readRuns(file: string): RunRow[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map((line) =>
      parseRow(
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
    );
}

export function printPage(rows: readonly RunRow[]): string {
  const sum = (of: (row: RunRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const merged = (of: (row: RunRow) => Readonly<Record<string, number>>) => {
    const all: Record<string, number> = {};
    for (const row of rows) {
      for (const [name, count] of Object.entries(of(row))) all[name] = (all[name] ?? 0) + count;
    }
    return all;
  };
  const clean = rows.filter(({ violations }) => violations === 0);
  const hours = sum(({ seconds }) => seconds) / 3600;
  const faults = merged((row) => row.faults);
  const operations = merged((row) => row.operations);
  const totals = [
    `* ${rows.length} runs, ${hours.toFixed(1)} hours under faults; ${clean.length} runs without a violation, longest ${longest(clean)} s`,
    `* ${total(faults)} faults: ${printCounts(faults)}`,
    `* ${sum(({ actions }) => actions)} actions of the operator; ${total(operations)} operations: ${printCounts(operations)}`,
    `* ${sum(({ moves }) => moves)} confirmed moves, ${sum(({ deliveries }) => deliveries)} acknowledged deliveries`,
    `* ${sum(({ violations }) => violations)} violations`,
  ];
  const table = [
    `| ${COLUMNS.join(' | ')} |`,
    `| ${COLUMNS.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${printRow(row).join(' | ')} |`),
  ];
  return `${HEAD}\n## Totals\n\n${totals.join('\n')}\n\n## Runs\n\n${table.join('\n')}\n`;
}

function printRow(row: RunRow): string[] {
  return [
    String(row.seed),
    String(row.seconds),
    row.loginsPerSec.toFixed(1),
    `${(row.failedShare * 100).toFixed(1)} %`,
    printCounts(row.faults),
    String(row.actions),
    printCounts(row.operations),
    String(row.moves),
    String(row.deliveries),
    String(row.violations),
  ];
}

function parseRow(cells: readonly string[]): RunRow {
  const number = (column: (typeof COLUMNS)[number]): number =>
    Number.parseFloat(cells[COLUMNS.indexOf(column)] ?? '');
  const counts = (column: (typeof COLUMNS)[number]): Record<string, number> =>
    parseCounts(cells[COLUMNS.indexOf(column)] ?? '');
  return {
    seed: number('seed'),
    seconds: number('seconds'),
    loginsPerSec: number('logins/s'),
    failedShare: Math.round(number('failed') * 10) / 1000,
    faults: counts('faults'),
    actions: number('operator'),
    operations: counts('operations'),
    moves: number('moves'),
    deliveries: number('deliveries'),
    violations: number('violations'),
  };
}

const NONE = 'none';

function printCounts(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return sorted.length === 0 ? NONE : sorted.map(([name, count]) => `${name} ${count}`).join(', ');
}

function parseCounts(text: string): Record<string, number> {
  if (text === NONE) return {};
  const pairs = text.split(', ').map((pair): [string, number] => {
    const [name = '', count] = pair.split(' ');
    return [name, Number(count)];
  });
  return Object.fromEntries(pairs);
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

const longest = (rows: readonly RunRow[]): number =>
  Math.max(0, ...rows.map(({ seconds }) => seconds));
