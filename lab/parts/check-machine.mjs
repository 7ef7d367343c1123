/** What this machine must have before anything is fetched. */
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_DIR } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';

const OLDEST_NODE = 20;
const FRESH_MEGABYTES = 3000;
const INSTALLED_MEGABYTES = 1000;

/**
 * Throws a LabProblem where the machine cannot do.
 * @param {{ platform?: string, nodeVersion?: string, freeMegabytes?: number,
 *   isInstalled?: boolean }} [machine] what to judge; default: this one
 */
export function checkMachine(machine = {}) {
  const {
    platform = process.platform,
    nodeVersion = process.versions.node,
    freeMegabytes = readFreeMegabytes(),
    isInstalled = existsSync(join(ROOT_DIR, 'node_modules/.package-lock.json')),
  } = machine;
  if (platform !== 'linux') {
    throw new LabProblem(
      `The lab runs real Dovecot servers on Linux addresses, and this is ${platform}: ` +
        'use a Debian 12 machine, virtual machine or container.',
    );
  }
  if (Number(nodeVersion.split('.')[0]) < OLDEST_NODE) {
    throw new LabProblem(`This needs Node ${OLDEST_NODE} or newer, and this is ${nodeVersion}.`);
  }
  const needed = isInstalled ? INSTALLED_MEGABYTES : FRESH_MEGABYTES;
  if (freeMegabytes < needed) {
    throw new LabProblem(
      `Too little disk space: ${ROOT_DIR} has ${Math.floor(freeMegabytes)} MB left and ` +
        `${needed} MB are needed; make room, or clone to another disk.`,
    );
  }
}

function readFreeMegabytes() {
  const { bavail, bsize } = statfsSync(ROOT_DIR);
  return (bavail * bsize) / 1_000_000;
}
