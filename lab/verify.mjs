/**
 * `npm run verify`: everything but the tests. Formatting, lint, types, generated API description,
 * build; ends with one line of totals. Plain Node 20 without dependencies.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_DIR } from './parts/folders.mjs';
import { LabProblem } from './parts/lab-problem.mjs';
import { installNpmPackages } from './parts/npm-packages.mjs';

/** Written by `npm run openapi`, and kept in the repository. */
const GENERATED = ['api/openapi.json', 'ui/src/api/schema.d.ts'];

const CHECKS = [
  { name: 'format', isFine: () => runScript('format:check') },
  { name: 'lint', isFine: () => runScript('lint') },
  { name: 'types', isFine: () => runScript('check') },
  { name: 'openapi unchanged', isFine: isGeneratedCurrent },
  { name: 'build', isFine: () => runScript('build') },
];

const results = await runChecks();
const failed = results.filter((result) => !result.isFine);
for (const { name } of failed) process.stdout.write(`\nfailed: ${name}\n`);
process.stdout.write(`\n${results.length - failed.length} passed, ${failed.length} failed\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runChecks() {
  try {
    await installNpmPackages();
  } catch (error) {
    if (!(error instanceof LabProblem)) throw error;
    process.stderr.write(`${error.tail}\n${error.message}\n`);
    return [{ name: 'npm ci', isFine: false }];
  }
  return CHECKS.map(({ name, isFine }) => {
    process.stdout.write(`\n== ${name}\n`);
    return { name, isFine: isFine() };
  });
}

function runScript(name) {
  const { status } = spawnSync('npm', ['run', '--silent', name], {
    cwd: ROOT_DIR,
    stdio: 'inherit',
  });
  return status === 0;
}

/** Writes them anew: whatever differs afterwards was not up to date. */
function isGeneratedCurrent() {
  const before = GENERATED.map(readText);
  if (!runScript('openapi')) return false;
  const stale = GENERATED.filter((path, index) => readText(path) !== before[index]);
  for (const path of stale) {
    process.stdout.write(`${path} was not up to date; it is now: look at it and commit it.\n`);
  }
  return stale.length === 0;
}

function readText(path) {
  const file = join(ROOT_DIR, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
