/** A bundle of the workflows as they would be after a change: a copy of the sources, changed, and bundled. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { ROOT } from './source-files.ts';

/** Text of each file of ours by its path below `workflows/`; throws where there is nothing to change. */
export type Change = { readonly file: string; readonly from: string | RegExp; readonly to: string };

export async function bundleChanged(changes: readonly Change[]): Promise<string> {
  const parent = join(ROOT, '.dovekeeper', 'changed');
  mkdirSync(parent, { recursive: true });
  // below the root, so that packages are found
  const folder = mkdtempSync(join(parent, 'workflows-'));
  try {
    for (const name of ['workflows', 'activities']) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    for (const { file, from, to } of changes) {
      const path = join(folder, 'workflows', file);
      const before = readFileSync(path, 'utf8');
      const after = before.replace(from, to);
      if (after === before)
        throw new Error(`nothing to change in workflows/${file}: ${String(from)}`);
      writeFileSync(path, after);
    }
    const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, log() {} };
    const workflowsPath = join(folder, 'workflows', 'index.ts');
    return (await bundleWorkflowCode({ workflowsPath, logger: quiet })).code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
