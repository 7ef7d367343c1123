/**
 * `npm test`: fetches and starts what the tests need, on addresses and folders of its own, runs
 * them, and ends with one line of totals. `npm test -- policy api` runs only these groups.
 * --drill, --soak and --bench run a script of their own instead. Plain Node 20 without dependencies.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { installPackages } from './parts/apt-packages.mjs';
import { buildUi, buildWorkflowBundle } from './parts/build.mjs';
import { checkMachine } from './parts/check-machine.mjs';
import { CHROMIUM_PACKAGES, findChromium } from './parts/chromium.mjs';
import {
  ROOT_DIR,
  TEST_DIR,
  UI_DIST_DIR,
  WORKFLOW_BUNDLE,
  ensureFolder,
} from './parts/folders.mjs';
import { LabProblem } from './parts/lab-problem.mjs';
import { startLab } from './parts/lab.mjs';
import { ProcessRecord } from './parts/process-record.mjs';
import { createProgress } from './parts/progress.mjs';
import { findProductNode, inheritedEnvironment, killGroup } from './parts/run-command.mjs';
import { listenForStop } from './parts/stop-request.mjs';
import { findTemporal } from './parts/temporal.mjs';
import { forgetFormerRuns, removeRun } from './parts/test-runs.mjs';
import { readTotals } from './parts/test-totals.mjs';
import { DOVECOT_PACKAGES } from './parts/dovecot.mjs';

/** Groups that run only when they are named: every crash point of a mover takes a quarter of an hour. */
const LONG = ['crash'];
/** Groups that need no server, or only their own. */
const PURE = new Set(['policy', 'tidy', 'replay', 'soak']);
/** What runs instead of the tests; each starts the parts that it needs and reports like a test runner. */
const SCRIPTS = {
  '--drill': 'test/system/drill.ts',
  '--soak': 'test/soak/soak.ts',
  '--bench': 'test/bench/bench.ts',
};
const script = Object.keys(SCRIPTS).find((option) => process.argv.includes(option)) ?? null;
const words = process.argv.slice(2).filter((word) => word !== script);
const groups = words.filter((word) => !word.startsWith('-'));
const options = words.filter((word) => word.startsWith('-'));
const interrupt = new AbortController();
listenForStop({ onFirst: () => interrupt.abort() });

let totals = { passed: 0, failed: 1 };
try {
  totals = await run();
} catch (error) {
  if (!(error instanceof LabProblem)) process.stderr.write(`${error.stack}\n`);
  else process.stderr.write(`${error.tail.trimEnd()}\n${error.message}\n`);
}
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed\n`);
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);

async function run() {
  checkMachine();
  await forgetFormerRuns();
  const stateDir = ensureFolder(join(TEST_DIR, `run-${process.pid}`));
  const progress = createProgress(process.stdout);
  const isPure = script === null && groups.length > 0 && groups.every((group) => PURE.has(group));
  const lab = await startLab({
    net: 'free',
    stateDir,
    parts: isPure || script !== null ? [] : ['infra'],
    progress,
    signal: interrupt.signal,
    extraSteps: isPure ? [] : buildSteps(),
  });
  progress.close();
  try {
    const environment = testEnvironment(lab);
    return script === null ? await runVitest(environment) : await runScript(environment);
  } finally {
    await lab.stop();
    if (process.env.DK_TEST_KEEP !== '1') await removeRun(stateDir);
  }
}

function buildSteps() {
  const step = (name, after, work) => ({ name, after, run: work });
  return [
    step('build workflows', ['npm'], buildWorkflowBundle),
    step('build ui', ['npm'], buildUi),
    step('mail packages', ['packages'], () => installPackages(DOVECOT_PACKAGES)),
    ...(groups.length === 0 || groups.includes('ui')
      ? [step('chromium', ['mail packages'], () => installPackages(CHROMIUM_PACKAGES))]
      : []),
  ];
}

/** What a test may rely on; addresses follow from the net (lab/parts/addresses.mjs). */
function testEnvironment(lab) {
  return {
    DK_TEST_NET: String(lab.net),
    DK_TEST_STATE: lab.stateDir,
    DK_TEST_TEMPORAL: findTemporal() ?? '',
    DK_TEST_WORKFLOW_BUNDLE: WORKFLOW_BUNDLE,
    DK_TEST_UI_DIR: UI_DIST_DIR,
    DK_TEST_CHROMIUM: findChromium() ?? '',
  };
}

async function runVitest(environment) {
  const report = join(environment.DK_TEST_STATE, 'report.json');
  const wanted = groups.length > 0 ? groups : LONG.map((group) => `!${group}`);
  const projects = wanted.flatMap((group) => ['--project', group]);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...projects, ...reporters, ...options];
  const code = await runNode(vitest, environment);
  return readTotals(report, code);
}

async function runScript(environment) {
  const code = await runNode([SCRIPTS[script], ...words], environment);
  return readTotals(join(environment.DK_TEST_STATE, 'report.json'), code);
}

/** In a group of its own, so that whatever a test forgets to end goes away with it. */
function runNode(args, environment) {
  return new Promise((resolve) => {
    const child = spawn(findProductNode(), args, {
      cwd: ROOT_DIR,
      env: { ...inheritedEnvironment(), ...environment },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    // known by its own record, so that the next run ends it where this one is killed with -9
    const record = new ProcessRecord(ensureFolder(join(environment.DK_TEST_STATE, 'runner')));
    record.add('tests', child.pid);
    const end = () => killGroup(child.pid, 'SIGTERM');
    interrupt.signal.addEventListener('abort', end, { once: true });
    child.once('close', (code) => {
      interrupt.signal.removeEventListener('abort', end);
      killGroup(child.pid, 'SIGKILL');
      record.remove('tests');
      resolve(code ?? 1);
    });
  });
}
