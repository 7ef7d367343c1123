/** `npm run bench -- director`: 1,000 logged-in users off a Backend, Dovecot's director beside us. */
import { loadavg } from 'node:os';
import { quantile, spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';
import { busyShare, describeCpu } from '../director/cpu-watch.ts';
import { startDirectorRing } from '../director/director-ring.ts';
import type { TrialResult } from '../director/measure-move.ts';
import { startOurSide } from '../director/our-side.ts';
import { FIRST_OF_OURS, makeRows, PACED_PERCENT, type Row } from '../director/rows.ts';

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
/** Java goes on compiling Cassandra for so long: after the first turn everybody leaves in half of the time, after six in a third. */
const WARM_UP_TURNS = 6;
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
        const all = makeRows(ours, ring);
        const rows = chosenRows(all);
        await warmUp(all, bench);
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

/** Java compiles Cassandra only where it is used: turns of ours that are told and not counted. */
async function warmUp(rows: readonly Row[], bench: Bench): Promise<void> {
  const row = rows.find(({ isOurs, kind }) => isOurs && kind === 'live');
  if (row === undefined) return;
  for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) {
    const said = await row.run(0, 1).then(describe, (error: unknown) => String(error));
    bench.print(`to warm up, ${row.name}: ${said}`);
  }
}

async function measureAll(rows: readonly Row[], bench: Bench): Promise<Results> {
  const results = new Map<string, TrialResult[]>(rows.map(({ name }) => [name, []]));
  for (let index = 0; index < bench.runs; index += 1) {
    for (const row of rows) {
      const result = await row.run(index, bench.runs).catch((error: unknown) => error as Error);
      const said = result instanceof Error ? `not measured (${result.message})` : describe(result);
      bench.print(`${index + 1}/${bench.runs} ${row.name}: ${said}`);
      // One run that broke off must not cost the others, but it is told and breaks the promise.
      if (result instanceof Error) bench.figures.holds(POINT, row.name, said, 'measured', false);
      else results.get(row.name)?.push(result);
    }
  }
  return results;
}

function describe(result: TrialResult): string {
  const load = (loadavg()[0] ?? 0).toFixed(1);
  const reasons = [...result.failureReasons].map(([reason, count]) => `${count} x ${reason}`);
  const { failureReasons: _, cpu, calmCpu, ...rest } = result;
  const figures = Object.entries(rest).map(([name, value]) => {
    return `${name} ${value === null ? 'never' : Number(value.toFixed(2))}`;
  });
  const calm = `${Math.round(busyShare(calmCpu) * 100)} % busy before: ${describeCpu(calmCpu)}`;
  return `${figures.join(', ')}; load ${load}; ${calm}; then ${describeCpu(cpu)}${reasons.length === 0 ? '' : `; ${reasons.join('; ')}`}`;
}

function report(rows: readonly Row[], results: Results): Measured {
  const measured = rows.filter(({ name }) => (results.get(name) ?? []).length > 0);
  const lines = measured.map((row) => {
    const all = results.get(row.name) ?? [];
    // Where nobody came back within the time, there is no gap to tell of.
    const of = (pick: (result: TrialResult) => number): string => {
      const values = all.map(pick).filter((value) => !Number.isNaN(value));
      return values.length === 0 ? '-' : spread(values, 0);
    };
    const done = all.flatMap(({ doneSecs }) => (doneSecs === null ? [] : [doneSecs]));
    const never = all.length - done.length;
    const sum = (pick: (result: TrialResult) => number): number =>
      all.reduce((total, result) => total + pick(result), 0);
    const unexplained = sum((one) => one.mailDoubled - one.mailDoubledExplained);
    return [
      row.name,
      row.kind === 'killed' ? 'kill -9' : 'live',
      `${spread(done, 2)}${never === 0 ? '' : `; never in ${never} of ${all.length}`}`,
      of((one) => one.gapP50Ms),
      of((one) => one.gapP99Ms),
      of((one) => one.failedAttempts),
      `${of((one) => one.overlapUsers)} (${Math.round(Math.max(...all.map((one) => one.longestOverlapMs)))})`,
      of((one) => one.leftBehind),
      of((one) => one.relayed),
      `${sum((one) => one.mailLost)} / ${unexplained} / ${sum((one) => one.mailAccepted)}`,
    ];
  });
  return { columns: COLUMNS, rows: lines, notes: notesOf(results) };
}

function notesOf(results: Results): string[] {
  const notes = [
    'Beside every row ran: the whole lab with its controller, the other four Backends idle, ' +
      '40 deliveries a second, and `who` of all Backends twice a second. All share these cores.',
    "The director's Backends have the same settings as the lab's, but ask nobody where a user lives: " +
      "the lab's own would pass his logins on. So each of its logins is spared one or two questions to the GeoDB.",
    `"ours, paced" asks for ${PACED_PERCENT} % of the speed from the start. "ours, killed" includes the ` +
      'detection by the health check with the lab\'s settings; "told at once" has no detection at all, and ' +
      'reads each answer; "scan each 30 s" sends both commands without reading one, as poolmon does.',
    '"ours, tuned", as the other rows of ours: everybody in one round, no limit to what a target takes; by default it is ' +
      'five rounds of 20 %, and 200 users on their way to one target.',
    `Cassandra's Java compiles as in production; before the first row ours moved everybody ${WARM_UP_TURNS} times, which is not counted.`,
    `"${FIRST_OF_OURS}" is the same moved for the first time in a run: minutes after the last move, and from the second run on off a Backend ` +
      'whose cluster service was started a few rows before.',
    'On a live Backend poolmon ends no session, so nobody leaves: that row is stopped after 10 s.',
    'Doubled mail whose first acknowledgement was lost with the killed Backend is not counted: the sender had to repeat it.',
  ];
  const behind = [
    ...compare(results, 'ours, tuned', 'director, tuned'),
    ...compare(results, 'ours, paced', 'director, default'),
    ...compare(results, 'ours, killed', 'poolmon, told at once'),
    ...compare(results, 'ours, killed', 'poolmon, scan each 30 s'),
    ...compare(results, 'floor: ours', 'floor: director'),
  ];
  const busy = (isOurs: boolean): string => {
    const all = [...results].filter(([name]) => name.includes('ours') === isOurs);
    return spread(
      all.flatMap(([, each]) => each.map(({ calmCpu }) => busyShare(calmCpu) * 100)),
      0,
    );
  };
  notes.push(
    `Before anything moved, the deliveries and looks alone kept ${busy(true)} % of the cores busy in our rows, ` +
      `${busy(false)} % in the others: what is left moves the users.`,
  );
  return [...notes, `Where we are behind: ${behind.length === 0 ? 'nowhere' : behind.join('; ')}.`];
}

/** Every figure in which ours is worse, with both. */
function compare(results: Results, ours: string, theirs: string): string[] {
  const middle = (name: string, pick: (result: TrialResult) => number): number | null => {
    const values = (results.get(name) ?? []).map(pick).filter((value) => !Number.isNaN(value));
    return values.length === 0 ? null : quantile(values, 0.5);
  };
  const figures: [string, (result: TrialResult) => number][] = [
    ['done (s)', (one) => one.doneSecs ?? Infinity],
    ['gap p50 (ms)', (one) => one.gapP50Ms],
    ['gap p99 (ms)', (one) => one.gapP99Ms],
    ['failed attempts', (one) => one.failedAttempts],
    ['users on two Backends', (one) => one.overlapUsers],
    ['left behind', (one) => one.leftBehind],
  ];
  const worse = figures.flatMap(([what, pick]) => {
    const [own, other] = [middle(ours, pick), middle(theirs, pick)];
    if (own === null || other === null || own <= other) return [];
    return [`${what} ${text(own)} against ${text(other)}`];
  });
  return worse.length === 0 ? [] : [`"${ours}" against "${theirs}": ${worse.join(', ')}`];
}

const text = (value: number): string =>
  value === Infinity ? 'never' : String(Number(value.toFixed(value < 100 ? 1 : 0)));

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
  const full = 'ours, tuned';
  const { doneSecs, p99Ms, overlapMs, pacedP50Ms } = LIMITS;
  if (ours.length === 0) return;
  figures.atMost(
    POINT,
    'live, tuned: all are elsewhere',
    median(full, (one) => one.doneSecs),
    doneSecs,
    's',
  );
  figures.atMost(
    POINT,
    'live, tuned: gap p99',
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
