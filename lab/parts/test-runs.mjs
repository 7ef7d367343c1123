/** The folders of test runs: each may hold labs that the tests themselves have started. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeMailFolders } from '../mail/hosts.mjs';
import { TEST_DIR } from './folders.mjs';
import { ProcessRecord } from './process-record.mjs';
import { readRunningLab } from './state-lock.mjs';

/** Ends and removes what test runs left over that were killed with -9. */
export async function forgetFormerRuns() {
  mkdirSync(TEST_DIR, { recursive: true });
  for (const name of readdirSync(TEST_DIR)) {
    const folder = join(TEST_DIR, name);
    if (readRunningLab(folder) === null) await removeUnlessGone(folder);
  }
}

/** A run that has just ended removes its own folder meanwhile. */
async function removeUnlessGone(folder) {
  try {
    await removeRun(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes(error.code)) throw error;
  }
}

/**
 * Ends every process of the labs in this folder and removes it.
 * @param {string} folder of one test run
 */
export async function removeRun(folder) {
  for (const stateDir of findStateFolders(folder)) {
    await new ProcessRecord(stateDir).endLeftovers();
    removeMailFolders(stateDir);
  }
  rmSync(folder, { recursive: true, force: true });
}

function findStateFolders(folder) {
  const below = readdirSync(folder, { withFileTypes: true, recursive: true });
  const inside = below
    .filter((entry) => entry.isFile() && entry.name === 'processes.json')
    .map((entry) => entry.parentPath ?? entry.path);
  return existsSync(join(folder, 'processes.json')) ? inside : [folder, ...inside];
}
