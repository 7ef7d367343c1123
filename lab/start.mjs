/**
 * `npm start`: from a fresh machine to a running mail cluster with its controller.
 * `npm run reset` (--reset): forgets that cluster, keeps the downloads.
 * Plain Node 20 without dependencies, because it runs before anything is installed.
 */
import { rmSync } from 'node:fs';
import { checkMachine } from './parts/check-machine.mjs';
import { parseNet } from './parts/addresses.mjs';
import { STATE_DIR, ensureFolder } from './parts/folders.mjs';
import { LabProblem } from './parts/lab-problem.mjs';
import { startLab } from './parts/lab.mjs';
import { ProcessRecord } from './parts/process-record.mjs';
import { createProgress } from './parts/progress.mjs';
import { readRunningLab } from './parts/state-lock.mjs';
import { listenForStop } from './parts/stop-request.mjs';

const READY_DEADLINE_MS = 120_000;

// A reader that goes away (npm start | head) is no reason to end a mail cluster.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  process.exitCode = process.argv.includes('--reset') ? await reset() : await start();
} catch (error) {
  if (!(error instanceof LabProblem)) throw error;
  if (error.tail !== '') process.stderr.write(`${error.tail.trimEnd()}\n\n`);
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
process.exit();

async function start() {
  checkMachine();
  const net = parseNet(process.env.LAB_NET, 0);
  const beganAtMs = Date.now();
  const interrupt = new AbortController();
  const progress = createProgress(process.stdout);
  let lab = null;
  listenForStop({
    onFirst: () => {
      progress.line('Stopping everything ...');
      interrupt.abort();
      void lab?.stop();
    },
    onSecond: () => void lab?.killEverything(),
  });
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
    void lab?.killEverything().then(() => process.exit(1));
  });
  progress.line('Dovekeeper starts a mail cluster of its own on this machine.');
  try {
    lab = await startLab({ net, stateDir: STATE_DIR, progress, signal: interrupt.signal });
    await announce(lab, progress, beganAtMs);
    await lab.ended;
  } catch (error) {
    progress.close();
    if (!interrupt.signal.aborted) throw error;
  }
  process.stdout.write('Everything is stopped; npm start continues with the same cluster.\n');
  return 0;
}

/** Says where to look, once the lab calls itself ready; where it does not, says what is missing. */
async function announce(lab, progress, beganAtMs) {
  progress.begin('every Backend judged');
  const waitedSinceMs = Date.now();
  const { isReady, answers } = await lab.waitReady({ deadlineMs: READY_DEADLINE_MS });
  if (lab.isStopping) return;
  const seconds = (Date.now() - waitedSinceMs) / 1000;
  progress.end('every Backend judged', seconds, isReady ? '' : 'not ready, but everything runs');
  for (const [site, answer] of isReady ? [] : Object.entries(answers)) {
    progress.line(`  ${site} says: ${answer.slice(0, 500)}`);
  }
  const link = await lab.runScript('north', ['api/issue-sign-in-link.ts', 'admin']);
  const total = ((Date.now() - beganAtMs) / 1000).toFixed(1);
  const { temporal, temporalUi } = lab.addresses;
  progress.line(`
${isReady ? `Ready after ${total} s.` : `Not ready after ${total} s; it keeps trying.`}

  Open      ${link}
            (signs you in once, within 10 minutes)

Three things to try, in a second terminal:
  npm run lab -- status             the cluster as a table
  npm run lab -- deny north-mail2   that Backend refuses its users: watch them move to safety,
                                    then npm run lab -- restore north-mail2
  ${temporalUi.padEnd(33)} the workflows behind it; the temporal command line reaches
                                    them with TEMPORAL_ADDRESS=${temporal}

Ctrl-C stops everything.`);
}

/** Ends what a killed run left over, then removes the cluster and its mail. */
async function reset() {
  const running = readRunningLab(STATE_DIR);
  if (running !== null) {
    throw new LabProblem(
      `The lab of this clone runs (process ${running.pid}): stop it first, with Ctrl-C there.`,
    );
  }
  await new ProcessRecord(ensureFolder(STATE_DIR)).endLeftovers();
  const { removeMailFolders } = await import('./mail/hosts.mjs');
  removeMailFolders(STATE_DIR);
  rmSync(STATE_DIR, { recursive: true, force: true });
  process.stdout.write('Forgotten. The next npm start begins with a new cluster.\n');
  return 0;
}
