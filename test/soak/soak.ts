/**
 * `npm run soak -- --runs N --seconds S [--seed K]`: a whole lab under traffic, faults and an operator,
 * N times. Seeds count up from K; without it, from the last one in docs/reliability.md, where each run
 * writes its row, so that one that breaks off loses only itself (`--unrecorded`: it writes none). Evidence of a violation is kept below .dovekeeper/soak.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseNet, ROOT_DIR } from '../../lab/mail/hosts.mjs';
import { outliveDriverSlips } from '../../platform/driver-slips.ts';
import { restoreEverything } from './nemesis.ts';
import { describeFault, planRun, type RunPlan } from './plan.ts';
import type { RunRecord, Violation } from './record.ts';
import { runPlan, type RunOutcome } from './run.ts';
import { appendRun, readRuns, type RunRow } from './reliability-page.ts';
import { openSoakRig, type SoakRig } from './soak-rig.ts';

const EVIDENCE_DIR = join(ROOT_DIR, '.dovekeeper', 'soak');
const PAGE = join(ROOT_DIR, 'docs/reliability.md');

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Wish {
  readonly runs: number;
  readonly seconds: number;
  readonly seed: number;
  readonly isRecorded: boolean;
}

function readWish(): Wish {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '90' },
      seed: { type: 'string' },
      unrecorded: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new Error(`--${name} must be a whole number from 1`);
  };
  return {
    runs: whole('runs', values.runs),
    seconds: whole('seconds', values.seconds),
    seed: values.seed === undefined ? nextSeed() : whole('seed', values.seed),
    isRecorded: !values.unrecorded,
  };
}

const nextSeed = (): number => Math.max(0, ...readRuns(PAGE).map(({ seed }) => seed)) + 1;

async function main(): Promise<number> {
  const wish = readWish();
  const parent = process.env['DK_TEST_STATE'];
  const stateDir =
    parent === undefined ? mkdtempSync(join(tmpdir(), 'soak-')) : join(parent, 'soak');
  const netText = process.env['LAB_NET'];
  const net = netText === undefined || netText === '' ? 'free' : parseNet(netText, 0);
  const rig = await openSoakRig({ net, stateDir, print });
  const totals = { passed: 0, failed: 0 };
  try {
    for (let run = 0; run < wish.runs; run += 1) {
      const isFine = await runSeed(rig, wish.seed + run, wish);
      totals[isFine ? 'passed' : 'failed'] += 1;
    }
  } finally {
    await rig.close();
  }
  if (parent !== undefined) {
    const { passed, failed } = totals;
    const report_ = { numPassedTests: passed, numFailedTests: failed, testResults: [] };
    writeFileSync(join(parent, 'report.json'), JSON.stringify(report_));
  }
  return totals.failed === 0 ? 0 : 1;
}

/** False: it found something, or broke off; the next seed runs all the same. */
async function runSeed(
  rig: SoakRig,
  seed: number,
  { seconds, isRecorded }: Wish,
): Promise<boolean> {
  const plan = planRun(seed, seconds);
  print(`\nseed ${plan.seed}, ${plan.seconds} s, ${plan.theme}`);
  try {
    await rig.bringToRest();
    const outcome = await runPlan(rig, plan);
    report(plan, outcome);
    const row = rowOf(plan, outcome);
    print(`  ${JSON.stringify(row)}`);
    if (isRecorded) appendRun(PAGE, row);
    return outcome.violations.length === 0;
  } catch (error) {
    print(`  seed ${seed} broke off: ${error instanceof Error ? error.stack : String(error)}`);
    await restoreEverything(rig);
    return false;
  }
}

function rowOf(plan: RunPlan, { record, violations, logins }: RunOutcome): RunRow {
  const { faults, operations, ledger, actions, mail } = record;
  const count = (names: readonly string[]): Record<string, number> =>
    Object.fromEntries(
      [...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]),
    );
  const secs = (record.healedAtMs - record.startedAtMs) / 1000;
  return {
    seed: plan.seed,
    seconds: plan.seconds,
    loginsPerSec: Math.round((logins.attempts / Math.max(1, secs)) * 10) / 10,
    failedShare: Math.round(logins.failedShare * 1000) / 1000,
    faults: count(faults.filter(({ problem }) => problem === null).map(({ kind }) => kind)),
    actions: actions.length,
    operations: count(operations.map(({ state }) => state)),
    moves: ledger.filter(({ state }) => state === 'confirmed').length,
    deliveries: mail.accepted,
    violations: violations.length,
  };
}

function report(plan: RunPlan, { record, violations }: RunOutcome): void {
  for (const { invariant, detail, atMs } of violations) {
    const secs = ((atMs - record.startedAtMs) / 1000).toFixed(1);
    print(`  ! ${secs} s ${invariant}: ${detail}`);
  }
  if (violations.length === 0) return;
  for (const fault of plan.faults) print(`    ${describeFault(fault)}`);
  mkdirSync(EVIDENCE_DIR, { recursive: true });
  writeFileSync(join(EVIDENCE_DIR, `seed-${plan.seed}.json`), evidenceOf(plan, record, violations));
}

function evidenceOf(plan: RunPlan, record: RunRecord, violations: readonly Violation[]): string {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value;
  return JSON.stringify({ violations, plan, record }, plain, 1);
}

outliveDriverSlips(console);
// A driver that is still trying to reach what was killed would keep it from ending.
process.exit(await main());
