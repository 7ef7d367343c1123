/** Bytes of the index and cache files of users: what a Backend would have to warm up again. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const INDEX_FILE = /^dovecot(\.|-uidlist|-keywords)/;
const USERS_AT_ONCE = 8;

/** Users without mail count as 0. */
export async function measureMetacache(
  mailRoot: string,
  usernames: readonly string[],
): Promise<number> {
  const waiting = usernames.values();
  let bytes = 0;
  const work = async () => {
    for (const username of waiting) {
      const measured = await measureFolder(join(mailRoot, username));
      bytes += measured;
    }
  };
  await Promise.all(Array.from({ length: USERS_AT_ONCE }, work));
  return bytes;
}

async function measureFolder(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return measureFolder(path);
      if (!INDEX_FILE.test(entry.name)) return 0;
      const file = await stat(path).catch(() => null);
      return file?.size ?? 0;
    }),
  );
  return sizes.reduce((total, size) => total + size, 0);
}
