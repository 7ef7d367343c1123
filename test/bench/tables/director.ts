/** `npm run bench -- director`: 1,000 logged-in users off a Backend, Dovecot's director beside us. */
import { loadavg } from 'node:os';
import { spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';
import { describeCpu } from '../director/cpu-watch.ts';
import { startDirectorRing } from '../director/director-ring.ts';
import type { TrialResult } from '../director/measure-move.ts';
import { startOurSide } from '../director/our-side.ts';
import { makeRows, PACED_PERCENT, type Row } from '../director/rows.ts';

type Results = ReadonlyMap<string, readonly TrialResult[]>;

const COLUMNS = [
  'row',
  'Backend',
  'done, s',
  'gap p50, ms',
  'gap p99, ms',
  'failed attempts',
  'users on two Backends (longest, ms)',
  'left behind',
  'relayed by the old one',
  'mail lost / doubled / accepted',
];

const POINT = 'director';
const LIMITS = { doneSecs: 5, p99Ms: 1_500, overlapMs: 500, pacedP50Ms: 50 };

export const directorTable: BenchTable = {
  name: 'director',
  question:
    'The same 1,000 logged-in users (every client comes back at once, 5 % have a second one) leave a Backend: ' +
    "how long does it take, and what do the clients notice, with us and with Dovecot's own director?",
  async run(bench) {
    const ours = await startOurSide(bench);
    try {
      const { stateDir, print } = bench;
      const { users } = ours;
      const ring = await startDirectorRing({ net: ours.lab.net, stateDir, users, print });
      try {
        const rows = chosenRows(makeRows(ours, ring));
        const results = await measureAll(rows, bench);
        judge(results, bench);
        return report(rows, results);
      } finally {
        await ring.stop();
      }
    } finally {
      await ours.stop();
    }
  },
};

/** BENCH_ROWS: a part of the names of the rows to run, for work on one of them. */
function chosenRows(rows: readonly Row[]): readonly Row[] {
  const wanted = process.env['BENCH_ROWS'];
  if (wanted === undefined) return rows;
  return rows.filter(({ name }) => wanted.split(';').some((part) => name.includes(part)));
}

async function measureAll(rows: readonly Row[], bench: Bench): Promise<Results> {
  const results = new Map<string, TrialResult[]>(rows.map(({ name }) => [name, []]));
  for (let index = 0; index < bench.runs; index += 1) {
    for (const row of rows) {
      const result = await row.run(index, bench.runs);
      results.get(row.name)?.push(result);
      bench.print(`${index + 1}/${bench.runs} ${row.name}: ${describe(result)}`);
    }
  }
  return results;
}

function describe(result: TrialResult): string {
  const load = (loadavg()[0] ?? 0).toFixed(1);
  const reasons = [...result.failureReasons].map(([reason, count]) => `${count} x ${reason}`);
  const { failureReasons: _, cpu, ...rest } = result;
  const figures = Object.entries(rest).map(([name, value]) => {
    return `${name} ${value === null ? 'never' : Number(value.toFixed(2))}`;
  });
  return `${figures.join(', ')}; load ${load}; ${describeCpu(cpu)}${reasons.length === 0 ? '' : `; ${reasons.join('; ')}`}`;
}

function report(rows: readonly Row[], results: Results): Measured {
  const lines = rows.map((row) => {
    const all = results.get(row.name) ?? [];
    const of = (pick: (result: TrialResult) => number, digits = 0): string =>
      spread(all.map(pick), digits);
    const done = all.flatMap(({ doneSecs }) => (doneSecs === null ? [] : [doneSecs]));
    const never = all.length - done.length;
    const sum = (pick: (result: TrialResult) => number): number =>
      all.reduce((total, result) => total + pick(result), 0);
    const unexplained = sum((one) => one.mailDoubled - one.mailDoubledExplained);
    return [
      row.name,
      row.kind === 'killed' ? 'kill -9' : 'live',
      `${spread(done, 2)}${never === 0 ? '' : `; never in ${never} of ${all.length}`}`,
      never === all.length ? '-' : of((one) => one.gapP50Ms),
      never === all.length ? '-' : of((one) => one.gapP99Ms),
      of((one) => one.failedAttempts),
      `${of((one) => one.overlapUsers)} (${Math.round(Math.max(...all.map((one) => one.longestOverlapMs)))})`,
      of((one) => one.leftBehind),
      of((one) => one.relayed),
      `${sum((one) => one.mailLost)} / ${unexplained} / ${sum((one) => one.mailAccepted)}`,
    ];
  });
  return { columns: COLUMNS, rows: lines, notes: notesOf() };
}

function notesOf(): string[] {
  return [
    `"ours, paced" asks for ${PACED_PERCENT} % of the speed right after the evacuation; "killed" includes the detection by the health check, with the lab's settings.`,
  ];
}

/** The worst run of each promise counts, but for times their median. */
function judge(results: Results, { figures }: Bench): void {
  const median = (name: string, pick: (result: TrialResult) => number | null): number | null => {
    const all = (results.get(name) ?? []).map(pick);
    if (all.length === 0 || all.includes(null)) return null;
    const sorted = (all as number[]).toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
  };
  const ours = [...results].filter(([name]) => name.startsWith('ours'));
  const worst = (pick: (result: TrialResult) => number): number =>
    Math.max(0, ...ours.flatMap(([, all]) => all.map(pick)));
  const full = 'ours, full speed';
  const { doneSecs, p99Ms, overlapMs, pacedP50Ms } = LIMITS;
  figures.atMost(
    POINT,
    'live: all are elsewhere',
    median(full, (one) => one.doneSecs),
    doneSecs,
    's',
  );
  figures.atMost(
    POINT,
    'live: gap p99',
    median(full, (one) => one.gapP99Ms),
    p99Ms,
    'ms',
  );
  figures.atMost(
    POINT,
    'paced: gap p50',
    median('ours, paced', (one) => one.gapP50Ms),
    pacedP50Ms,
    'ms',
  );
  figures.atMost(
    POINT,
    'longest overlap',
    worst((one) => one.longestOverlapMs),
    overlapMs,
    'ms',
  );
  figures.atMost(
    POINT,
    'users left behind, in any run',
    worst((one) => one.leftBehind),
    0,
    'users',
  );
  figures.atMost(
    POINT,
    'mail lost, in any run',
    worst((one) => one.mailLost),
    0,
    'mails',
  );
}
