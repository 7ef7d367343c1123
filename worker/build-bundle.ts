/** `node worker/build-bundle.ts <file>`: the workflow code as one file, so that a worker starts in a second. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const WORKFLOWS_PATH = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/**
 * The SDK writes down the stack of each promise that a workflow makes, each frame looked up in the source map:
 * a quarter of what a replay costs. One frame is where an error was thrown. Temporal's "Call Stack" of a running
 * workflow is empty by this; movers explain themselves (`explain`, current details).
 */
const SHORT_STACKS = 'Error.stackTraceLimit = 1;';

export async function buildBundle(): Promise<string> {
  const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
  const logger = { ...quiet, log() {} };
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS_PATH, logger });
  return SHORT_STACKS + code;
}

async function main(): Promise<void> {
  const target = process.argv[2];
  if (target === undefined) throw new Error('usage: node worker/build-bundle.ts <file>');
  const file = resolve(target);
  mkdirSync(dirname(file), { recursive: true });
  // Renamed into place: a worker that starts meanwhile never reads half a bundle.
  writeFileSync(`${file}.part`, await buildBundle());
  renameSync(`${file}.part`, file);
}

if (import.meta.main) await main();
