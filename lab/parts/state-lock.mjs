/** One lab a state folder: a file says which process has it, and where its control listens. */
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressesOf } from './addresses.mjs';
import { LabProblem } from './lab-problem.mjs';
import { readProcess } from './process-table.mjs';

/**
 * @typedef {{ pid: number, startTicks: number, net: number, control: string,
 *   startedAtMs: number }} LabFile
 */

const fileOf = (stateDir) => join(stateDir, 'lab.json');

/** @param {string} stateDir @returns {LabFile | null} the lab that runs on this state now */
export function readRunningLab(stateDir) {
  try {
    const lab = JSON.parse(readFileSync(fileOf(stateDir), 'utf8'));
    const owner = readProcess(lab.pid);
    const isThere = owner?.startTicks === lab.startTicks && !'ZX'.includes(owner.state);
    return isThere ? lab : null;
  } catch {
    return null;
  }
}

/** @param {string} stateDir throws a LabProblem where a lab runs on this state already */
export function lockState(stateDir) {
  const running = readRunningLab(stateDir);
  if (running !== null) {
    throw new LabProblem(
      `The lab of this clone runs already (net ${running.net}, process ${running.pid}): use that ` +
        'one (npm run lab -- status), or stop it with Ctrl-C where it was started.',
    );
  }
  rmSync(fileOf(stateDir), { force: true });
  try {
    closeSync(openSync(fileOf(stateDir), 'wx'));
  } catch (cause) {
    throw new LabProblem('Another npm start of this clone begins at this very moment.', { cause });
  }
}

/** @param {string} stateDir @param {{ net: number, startedAtMs: number }} lab */
export function describeLab(stateDir, { net, startedAtMs }) {
  const startTicks = readProcess(process.pid)?.startTicks ?? 0;
  const control = addressesOf(net).control;
  const lab = { pid: process.pid, startTicks, net, control, startedAtMs };
  writeFileSync(fileOf(stateDir), `${JSON.stringify(lab, null, 2)}\n`);
}

/** @param {string} stateDir */
export function unlockState(stateDir) {
  rmSync(fileOf(stateDir), { force: true });
}
