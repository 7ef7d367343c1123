/** Where the lab keeps its things: everything is below one ignored folder of the clone. */
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT_DIR = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const DOVEKEEPER_DIR = join(ROOT_DIR, '.dovekeeper');

/** Downloads, and what was built from the sources: survives a reset. */
export const CACHE_DIR = join(DOVEKEEPER_DIR, 'cache');
export const BUILD_DIR = join(DOVEKEEPER_DIR, 'build');
/** The cluster of `npm start`. */
export const STATE_DIR = join(DOVEKEEPER_DIR, 'state');
/** One folder a run of `npm test`. */
export const TEST_DIR = join(DOVEKEEPER_DIR, 'test');

/** Node's compiled code of the controller: its processes are there in half the time. */
export const COMPILE_CACHE_DIR = join(BUILD_DIR, 'compiled');
export const WORKFLOW_BUNDLE = join(BUILD_DIR, 'workflow-bundle.js');
export const UI_DIST_DIR = join(ROOT_DIR, 'ui/dist');

/** @param {string} folder @returns {string} the same folder, which exists now */
export function ensureFolder(folder) {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** @param {string} stateDir @param {string} name @returns {string} the log file of a part */
export function logFileOf(stateDir, name) {
  return join(ensureFolder(join(stateDir, 'logs')), `${name}.log`);
}
