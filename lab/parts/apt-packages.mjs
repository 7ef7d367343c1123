/** Debian packages: only what is missing, one clone at a time, no service started. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabProblem } from './lab-problem.mjs';
import { findExecutable, runCommand } from './run-command.mjs';

const INSTALL = join(dirname(fileURLToPath(import.meta.url)), 'apt-install.sh');
/** Shared by all clones on this machine: apt is one for all of them. */
const LOCK_FILE = '/tmp/dovekeeper-apt.lock';
const LOCK_WAIT_SECONDS = 900;

/**
 * @typedef {{ package: string, isThere: () => boolean | Promise<boolean> }} Wanted
 */

/** @param {string} name @param {string} debianPackage @returns {Wanted} found by its executable */
export const wantedCommand = (name, debianPackage = name) => ({
  package: debianPackage,
  isThere: () => findExecutable(name) !== null,
});

/** @param {string} path @param {string} debianPackage @returns {Wanted} found by that file */
export const wantedFile = (path, debianPackage) => ({
  package: debianPackage,
  isThere: () => existsSync(path),
});

/** @param {Wanted[]} wanted @returns {Promise<string[]>} the packages that are missing */
export async function missingPackages(wanted) {
  const missing = new Set();
  for (const one of wanted) if (!(await one.isThere())) missing.add(one.package);
  return [...missing];
}

/**
 * Installs what is missing. An abort waits until apt has ended: it must not be torn off.
 * @param {Wanted[]} wanted
 * @param {{ onLine?: (line: string) => void }} [options]
 * @returns {Promise<string>} what was done, in a few words
 */
export async function installPackages(wanted, { onLine } = {}) {
  const missing = await missingPackages(wanted);
  if (missing.length === 0) return 'all there';
  const manually = `install them yourself: apt-get install ${missing.join(' ')}`;
  if (findExecutable('apt-get') === null) {
    throw new LabProblem(`${missing.join(', ')} are missing and there is no apt-get; ${manually}.`);
  }
  const [command, ...args] = [
    ...(await privilegePrefix(manually)),
    ...['flock', '-w', String(LOCK_WAIT_SECONDS), LOCK_FILE, INSTALL, ...missing],
  ];
  try {
    await runCommand(command, args, { mayInterrupt: false, onLine });
  } catch (error) {
    throw new LabProblem(`apt-get could not install ${missing.join(' ')}; ${manually}.`, {
      cause: error,
      tail: error.tail,
    });
  }
  const still = await missingPackages(wanted);
  if (still.length > 0) {
    throw new LabProblem(`${still.join(', ')} did not bring what was expected; ${manually}.`);
  }
  return `installed ${missing.join(' ')}`;
}

async function privilegePrefix(manually) {
  if (process.getuid?.() === 0) return [];
  const sudo = findExecutable('sudo');
  if (sudo !== null) {
    try {
      await runCommand(sudo, ['-n', 'true']);
      return [sudo, '-n'];
    } catch {
      // sudo would ask for a password, and nobody may be there to give it
    }
  }
  throw new LabProblem(`Some Debian packages are missing and only root can install; ${manually}.`);
}
