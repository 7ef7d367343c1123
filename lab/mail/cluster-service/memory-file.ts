/**
 * What a proxy knew last, on disk: one that is started while the GeoDB is silent still lets users
 * log in at their last known homes.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { ClusterMap } from './cluster-map.ts';

export interface Memory {
  readonly map: ClusterMap;
  /** Ids of Backends by user. */
  readonly homes: readonly (readonly [username: string, backendId: string])[];
}

/** null: there is none, or it cannot be read. */
export async function readMemory(file: string | null): Promise<Memory | null> {
  try {
    const { map, homes } = JSON.parse(await readFile(file ?? '', 'utf8')) as {
      map: Omit<ClusterMap, 'closedBackends'> & { closedBackends: string[] };
      homes: Memory['homes'];
    };
    return { map: { ...map, closedBackends: new Set(map.closedBackends) }, homes };
  } catch {
    return null;
  }
}

/** By renaming: a reader never sees half of it. Rejects where it cannot be written. */
export async function writeMemory(file: string, { map, homes }: Memory): Promise<void> {
  const plain = { map: { ...map, closedBackends: [...map.closedBackends] }, homes };
  await writeFile(`${file}.new`, JSON.stringify(plain), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
