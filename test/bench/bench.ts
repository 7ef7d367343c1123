/**
 * `npm run bench -- <table>`: measures one table and writes its section of docs/performance.md.
 * `--runs N` measures each row N times (5); `--scale 0.1` tries it out at a tenth of its size and
 * only prints. LAB_NET chooses the net, else a free one.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseNet } from '../../lab/mail/hosts.mjs';
import { ROOT_DIR } from '../../lab/parts/folders.mjs';
import { outliveDriverSlips } from '../../platform/driver-slips.ts';
import { countFigures, createFigures, printFigures } from '../system/figures.ts';
import type { BenchTable } from './bench-table.ts';
import { printSection, writeSection } from './performance-page.ts';
import { TABLES } from './tables/index.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function chosen(): { table: BenchTable; runs: number; scale: number } | string {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
    },
  });
  const known = TABLES.map(({ name }) => name).join(', ');
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) return `One table at a time: ${known}`;
  const table = TABLES.find((each) => each.name === name);
  if (table === undefined) return `There is no table "${name}"; there are: ${known}`;
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) return `--runs must be a whole number from 1`;
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) return `--scale must be above 0 and at most 1`;
  return { table, runs, scale };
}

async function main(): Promise<number> {
  const choice = chosen();
  if (typeof choice === 'string') {
    print(choice);
    return 1;
  }
  const { table, runs, scale } = choice;
  const figures = createFigures();
  const parent = process.env['DK_TEST_STATE'];
  const stateDir =
    parent === undefined ? mkdtempSync(join(tmpdir(), 'bench-')) : join(parent, 'bench');
  mkdirSync(stateDir, { recursive: true });
  const netText = process.env['LAB_NET'];
  const net = netText === undefined || netText === '' ? 'free' : parseNet(netText, 0);
  print(`${table.name}: ${table.question}`);
  const measured = await table.run({ stateDir, net, runs, scale, print, figures });
  const section = printSection(table, measured, figures.all);
  print(`\n${section}`);
  print(printFigures(figures.all));
  if (scale === 1) writeSection(join(ROOT_DIR, 'docs/performance.md'), table, section);
  const { passed, failed } = countFigures(figures.all);
  if (parent !== undefined) {
    // a table without promises that ran to its end is one thing that went well
    const totals = { numPassedTests: Math.max(1, passed), numFailedTests: failed, testResults: [] };
    writeFileSync(join(parent, 'report.json'), JSON.stringify(totals));
  }
  return failed === 0 ? 0 : 1;
}

outliveDriverSlips(console);
// A driver that is still trying to reach what was killed would keep it from ending.
process.exit(await main());
