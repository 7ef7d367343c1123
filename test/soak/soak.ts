/**
 * `npm run soak -- --runs N --seconds S [--seed K]`: a whole lab under traffic, faults and an operator,
 * N times. Seeds count up from K; without it, from the last one in docs/reliability.md, so that a run
 * that breaks off loses only itself. Evidence of a violation is kept below .dovekeeper/soak.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseNet, ROOT_DIR } from '../../lab/mail/hosts.mjs';
import { describeFault, planRun, type RunPlan } from './plan.ts';
import type { RunRecord, Violation } from './record.ts';
import { runPlan, type RunOutcome } from './run.ts';
import { openSoakRig } from './soak-rig.ts';

const EVIDENCE_DIR = join(ROOT_DIR, '.dovekeeper', 'soak');

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Wish {
  readonly runs: number;
  readonly seconds: number;
  readonly seed: number;
}

function readWish(): Wish {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '90' },
      seed: { type: 'string' },
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
    seed: values.seed === undefined ? 1 : whole('seed', values.seed),
  };
}

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
      const plan = planRun(wish.seed + run, wish.seconds);
      print(`\nseed ${plan.seed}, ${plan.seconds} s, ${plan.theme}`);
      await rig.bringToRest();
      const outcome = await runPlan(rig, plan);
      report(plan, outcome);
      totals[outcome.violations.length === 0 ? 'passed' : 'failed'] += 1;
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

process.exitCode = await main();
