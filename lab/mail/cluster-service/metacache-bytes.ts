/** Bytes of the index and cache files of users: what a Backend would have to warm up again. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

const INDEX_FILE = /^dovecot(\.|-uidlist|-keywords)/;
/** Read at once, which costs a sixth of a promise for each file; then others get their turn. */
const USERS_TOGETHER = 4;

/** Users without mail count as 0, and cost nothing. */
export async function measureMetacache(
  mailRoot: string,
  usernames: readonly string[],
): Promise<number> {
  const stored = new Set(readOrNone(mailRoot).map(({ name }) => name));
  let bytes = 0;
  for (const [index, username] of usernames.filter((name) => stored.has(name)).entries()) {
    if (index % USERS_TOGETHER === USERS_TOGETHER - 1) await turn();
    bytes += measureFolder(join(mailRoot, username));
  }
  return bytes;
}

function measureFolder(folder: string): number {
  return readOrNone(folder).reduce((bytes, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return bytes + measureFolder(path);
    if (!INDEX_FILE.test(entry.name)) return bytes;
    // It may be gone by now.
    return bytes + (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

function readOrNone(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
