/** What is built from the sources, again only when they changed. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BUILD_DIR, ROOT_DIR, UI_DIST_DIR, WORKFLOW_BUNDLE, ensureFolder } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';
import { findProductNode, runCommand } from './run-command.mjs';

const SKIPPED = new Set(['node_modules', 'dist', '.svelte-check']);

/** @param {AbortSignal} signal @returns {Promise<string>} what was done, in a few words */
export function buildWorkflowBundle(signal) {
  const sources = ['workflows', 'worker/build-bundle.ts', 'worker/interceptors.ts'];
  return buildWhenChanged('workflow-bundle', [...sources, 'package-lock.json'], {
    output: WORKFLOW_BUNDLE,
    build: (incoming) => runProductNode(['worker/build-bundle.ts', incoming], signal),
  });
}

/** @param {AbortSignal} signal @returns {Promise<string>} what was done, in a few words */
export function buildUi(signal) {
  return buildWhenChanged('ui', ['ui', 'package-lock.json'], {
    output: UI_DIST_DIR,
    build: (incoming) => {
      const vite = ['node_modules/vite/bin/vite.js', 'build', 'ui', '--logLevel', 'warn'];
      return runProductNode([...vite, '--outDir', incoming, '--emptyOutDir'], signal);
    },
  });
}

const runProductNode = (args, signal) => runCommand(findProductNode(), args, { signal });

/** Builds beside the old output and then swaps, so that nobody ever reads half of it. */
async function buildWhenChanged(name, sources, { output, build }) {
  const stampFile = join(ensureFolder(BUILD_DIR), `${name}.sha256`);
  const stamp = hashSources(sources);
  const isCurrent =
    existsSync(output) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (isCurrent) return 'up to date';
  const incoming = join(BUILD_DIR, `${name}-incoming-${process.pid}`);
  try {
    await build(incoming);
    const outgoing = join(BUILD_DIR, `${name}-outgoing-${process.pid}`);
    if (existsSync(output)) renameSync(output, outgoing);
    renameSync(incoming, output);
    rmSync(outgoing, { recursive: true, force: true });
  } catch (error) {
    throw new LabProblem(`Building ${name} failed: look at the lines above.`, {
      cause: error,
      tail: error.tail,
    });
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  writeFileSync(stampFile, stamp);
  return 'built';
}

function hashSources(sources) {
  const hash = createHash('sha256');
  for (const file of sources.flatMap((source) => listFiles(join(ROOT_DIR, source)))) {
    hash.update(relative(ROOT_DIR, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

function listFiles(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !SKIPPED.has(name))
    .sort()
    .flatMap((name) => listFiles(join(path, name)));
}
