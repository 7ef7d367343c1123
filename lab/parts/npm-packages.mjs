/** node_modules as package-lock.json wants it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_DIR } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';
import { runCommand } from './run-command.mjs';

/**
 * npm writes node_modules/.package-lock.json when an installation is complete, so that file is the
 * stamp: whoever installed, it tells what is there.
 * @returns {string | null} why `npm ci` has to run; null: node_modules is up to date
 */
export function whyNpmMustRun() {
  const installedFile = join(ROOT_DIR, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'node_modules is missing or incomplete';
  const wanted = readPackages(join(ROOT_DIR, 'package-lock.json'));
  const installed = readPackages(installedFile);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link === true || entry.extraneous === true) continue;
    const present = installed[path];
    if (present === undefined) {
      if (isOptional(entry)) continue;
      return `${path} is missing`;
    }
    if (present.version !== entry.version || present.integrity !== entry.integrity) {
      return `${path} is not the version of package-lock.json`;
    }
  }
  return null;
}

/** Made for another system, or left out by npm because its platform has none. */
const isOptional = (entry) =>
  entry.optional === true || entry.os !== undefined || entry.cpu !== undefined;

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

/**
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<string>} what was done, in a few words
 */
export async function installNpmPackages({ signal } = {}) {
  if (whyNpmMustRun() === null) return 'all there';
  try {
    await runCommand('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund'], { signal });
  } catch (error) {
    throw new LabProblem(
      'npm ci failed: look at the lines above, check that the npm registry can be reached, ' +
        'and run the same command again.',
      { cause: error, tail: error.tail },
    );
  }
  return 'installed';
}
