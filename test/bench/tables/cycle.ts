/** How long a health cycle of a large site takes, with every part real but the mail hosts. */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { TASK_WORKFLOWS } from '../../../workflows/contract.ts';
import { quantile } from '../bench-table.ts';
import type { Bench, BenchTable, Measured } from '../bench-table.ts';
import { openLargeLab } from '../cycle/large-lab.ts';
import type { LargeLab } from '../cycle/large-lab.ts';
import { openTemporalReader } from '../cycle/read-runs.ts';
import type { LargestPayload, Run, TemporalReader } from '../cycle/read-runs.ts';

const MINUTES = 10;
/** The dense intervals: enough cycles come in less time. */
const DENSE_MINUTES = 3;
const LEAST_MINUTES = 2;
const BACKENDS = 500;
const FEW_BACKENDS = 50;
const USERS_A_BACKEND = 2_000;
const DEFAULT_INTERVAL_SECS = 60;
/** So dense that p95 rests on enough cycles. */
const DENSE_INTERVAL_SECS = 10;
/** A worker that has just started has audits and look-backs to catch up with. */
const SETTLE_MS = 20_000;
const LIMITS = { p95Ms: 2_000, payloadBytes: 128 * 1024, rssMib: 1_024 };

interface Measurement {
  readonly backends: number;
  readonly intervalSecs: number;
  readonly tookMs: readonly number[];
  readonly missed: number;
  /** Not started because one that was woken by what `cache_metrics` saw had just begun. */
  readonly skipped: number;
  readonly failed: readonly string[];
  readonly largest: LargestPayload;
  readonly rssMib: number;
  readonly workerCpuShare: number;
  readonly prometheusCpuShare: number;
  readonly decisions: ReadonlyMap<string, number>;
  readonly load: number;
  /** Of the slowest cycle. */
  readonly timeline: string;
}

export const cycleTable: BenchTable = {
  name: 'cycle',
  question:
    'How long does a health cycle take from the start of its workflow to its end, at 500 Backends and a million users?',
  run: async (bench) => {
    const whole = await measureSite(bench, BACKENDS, [DEFAULT_INTERVAL_SECS, DENSE_INTERVAL_SECS]);
    const small = await measureSite(bench, FEW_BACKENDS, [DENSE_INTERVAL_SECS]);
    promise(bench, whole.measured);
    return toTable(
      [...whole.measured, ...small.measured],
      [
        `${BACKENDS} Backends, ${usersOf(bench, BACKENDS)} users: written in ${whole.seedSecs.toFixed(0)} s; 4 proxies, scraped every 5 s.`,
        `Everything is real but the mail hosts: one process plays their exporters and a doveadm at each of ${BACKENDS} addresses.`,
        ...[...whole.measured, ...small.measured].map(
          ({ backends, intervalSecs, timeline }) =>
            `Slowest cycle at ${backends} Backends, every ${intervalSecs} s, in ms since its start: ${timeline}.`,
        ),
        'Product defaults but for the interval of the tasks; every 150 s one Backend fails at 98 % and one at 20 % for 75 s.',
      ],
    );
  },
};

/** What is only tried out has fewer users and less time, but all Backends. */
const usersOf = (bench: Bench, backends: number): number =>
  Math.round(backends * USERS_A_BACKEND * bench.scale);

async function measureSite(
  bench: Bench,
  backends: number,
  intervals: readonly number[],
): Promise<{ measured: Measurement[]; seedSecs: number }> {
  const users = usersOf(bench, backends);
  const opened = await openLargeLab(bench, { backends, users });
  const temporal = await openTemporalReader(opened.lab.addresses.temporal);
  try {
    const measured: Measurement[] = [];
    for (const intervalSecs of intervals) {
      measured.push(await measure(bench, opened, temporal, intervalSecs));
    }
    return { measured, seedSecs: opened.seedSecs };
  } finally {
    await temporal.close();
    await opened.close();
  }
}

async function measure(
  bench: Bench,
  opened: LargeLab,
  temporal: TemporalReader,
  intervalSecs: number,
): Promise<Measurement> {
  const { site, prometheus } = opened;
  const worker = await opened.startWorker(intervalSecs);
  await sleep(SETTLE_MS);
  const whole = intervalSecs === DEFAULT_INTERVAL_SECS ? MINUTES : DENSE_MINUTES;
  const minutes = Math.max(LEAST_MINUTES, whole * bench.scale);
  const backends = site.backends.length;
  bench.print(`${backends} Backends, every ${intervalSecs} s, for ${minutes} minutes`);
  const skippedBefore = await temporal.countSkipped(site.name);
  const sinceMs = Date.now();
  const cpu = { worker: worker.cpuSecs(), prometheus: prometheus.cpuSecs() };
  await sleep(minutes * 60_000);
  const secs = (Date.now() - sinceMs) / 1000;
  const runs = await temporal.readRuns(sinceMs);
  const cycles = runs.filter(isHealthCycle).filter(({ endedAtMs }) => endedAtMs !== null);
  const measurement: Measurement = {
    backends,
    intervalSecs,
    tookMs: cycles.map(({ startedAtMs, endedAtMs }) => (endedAtMs ?? 0) - startedAtMs),
    missed: countMissed(cycles, { sinceMs, untilMs: sinceMs + secs * 1000, intervalSecs }),
    skipped: (await temporal.countSkipped(site.name)) - skippedBefore,
    failed: await failuresOf(opened, cycles),
    largest: await temporal.largestPayload(runs),
    rssMib: worker.peakRssMib(),
    workerCpuShare: (worker.cpuSecs() - cpu.worker) / secs,
    prometheusCpuShare: (prometheus.cpuSecs() - cpu.prometheus) / secs,
    decisions: await countDecisions(opened, sinceMs),
    load: loadavg()[0] ?? 0,
    timeline: await timelineOfSlowest(temporal, cycles),
  };
  bench.print(cells(measurement).join(', '));
  return measurement;
}

/** Whole intervals, and half of one, in which no cycle began. */
function countMissed(
  cycles: readonly Run[],
  { sinceMs, untilMs, intervalSecs }: { sinceMs: number; untilMs: number; intervalSecs: number },
): number {
  const starts = cycles.map(({ startedAtMs }) => startedAtMs).toSorted((a, b) => a - b);
  const times = [sinceMs, ...starts, untilMs];
  const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? atMs));
  const missedIn = (ms: number): number => Math.max(0, Math.round(ms / (intervalSecs * 1000)) - 1);
  return gaps.reduce((sum, gap) => sum + missedIn(gap), 0);
}

async function timelineOfSlowest(
  temporal: TemporalReader,
  cycles: readonly Run[],
): Promise<string> {
  const tookMs = ({ startedAtMs, endedAtMs }: Run): number => (endedAtMs ?? 0) - startedAtMs;
  const slowest = cycles.toSorted((a, b) => tookMs(b) - tookMs(a))[0];
  return slowest === undefined ? 'none' : await temporal.timeline(slowest);
}

const isHealthCycle = ({ workflowType }: Run): boolean =>
  workflowType === TASK_WORKFLOWS.check_backend_health;

async function failuresOf({ api }: LargeLab, cycles: readonly Run[]): Promise<string[]> {
  const ended = cycles.filter(({ status }) => status !== 'COMPLETED').map(({ status }) => status);
  const blind = (await api.readDecisionsSince(Math.min(...cycles.map((run) => run.startedAtMs))))
    .filter(({ reason }) => reason === 'Blind')
    .map(({ detail, repeats }) => `blind: ${String(detail)} x${repeats + 1}`);
  return [...ended, ...blind];
}

async function countDecisions({ api }: LargeLab, sinceMs: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { task, kind, recordedAtMs } of await api.readDecisionsSince(sinceMs)) {
    if (task !== 'check_backend_health' || recordedAtMs < sinceMs) continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function promise(bench: Bench, measured: readonly Measurement[]): void {
  for (const one of measured) {
    const of = `${one.backends} Backends, every ${one.intervalSecs} s: `;
    const { figures } = bench;
    figures.atMost('C6', `${of}cycle p95`, quantile(one.tookMs, 0.95), LIMITS.p95Ms, 'ms');
    const missed = [...one.failed, ...(one.missed > 0 ? [`${one.missed} missed`] : [])];
    figures.none('C6', `${of}missed or blind cycles`, missed);
    const kib = one.largest.bytes / 1024;
    figures.atMost('C6', `${of}largest payload`, kib, LIMITS.payloadBytes / 1024, 'KiB');
    figures.atMost('C6', `${of}memory of the worker`, one.rssMib, LIMITS.rssMib, 'MiB');
  }
}

function toTable(measured: readonly Measurement[], notes: readonly string[]): Measured {
  return {
    columns: [
      'Backends',
      'interval, s',
      'cycles',
      'p50, ms',
      'p95, ms',
      'max, ms',
      'missed',
      'skipped beside one that was woken',
      'largest payload, KiB (plain)',
      'worker, MiB',
      'worker, cores',
      'Prometheus, cores',
      'decisions',
      'load',
    ],
    rows: measured.map(cells),
    notes,
  };
}

function cells(one: Measurement): string[] {
  const ms = (share: number): string => quantile(one.tookMs, share).toFixed(0);
  const kib = (bytes: number): string => (bytes / 1024).toFixed(0);
  return [
    String(one.backends),
    String(one.intervalSecs),
    String(one.tookMs.length),
    ms(0.5),
    ms(0.95),
    ms(1),
    String(one.missed + one.failed.length),
    String(one.skipped),
    `${kib(one.largest.bytes)} (${kib(one.largest.plainBytes)}) ${one.largest.workflowType}`,
    one.rssMib.toFixed(0),
    one.workerCpuShare.toFixed(2),
    one.prometheusCpuShare.toFixed(2),
    [...one.decisions].map(([kind, count]) => `${count} ${kind}`).join(' '),
    one.load.toFixed(1),
  ];
}
