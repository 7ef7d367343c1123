/**
 * The fault `late` of proxies: a lookup reads where the user lives, and answers some time later. What
 * happens in between is what a login meets that overlaps with a move.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOrNull } from './cluster-service/read-or-null.ts';
import { hostFolderOf, hostsOf } from './hosts.mjs';
import { LabError } from './lab-control.ts';
import type { LabSettings } from './lab-settings.ts';

/** Below the 2 s after which Dovecot asks another proxy, with time left for the answer. */
export const LATEST_MS = 1_500;

/** From its next lookup on; null: at once, as it should. Throws LabError for what is no proxy. */
export function delayLookups(
  { net, stateDir }: LabSettings,
  names: readonly string[],
  delayMs: number | null,
): void {
  const proxies = hostsOf(net).filter(({ role }) => role === 'proxy');
  for (const name of names) {
    if (!proxies.some((proxy) => proxy.name === name)) {
      const known = proxies.map((proxy) => proxy.name).join(', ');
      throw new LabError(`There is no proxy "${name}"; there are: ${known}`, { isUsage: true });
    }
    const folder = hostFolderOf(stateDir, name);
    const file = join(folder, 'fault');
    if (delayMs === null) {
      rmSync(file, { force: true });
      continue;
    }
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${file}.new`, `late ${delayMs}\n`);
    renameSync(`${file}.new`, file);
  }
}

/** Milliseconds that an answer is held back; 0 where there is no such fault. */
export function readLookupDelay(faultFile: string | null): number {
  const faults = faultFile === null ? null : readOrNull(faultFile);
  return Math.min(Number(/^late (\d+)/m.exec(faults ?? '')?.[1] ?? 0), LATEST_MS);
}
