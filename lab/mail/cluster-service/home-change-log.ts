/** Every home change that a cluster service makes, one JSON line each, for audits. */
import { createWriteStream } from 'node:fs';

export interface HomeChange {
  readonly user: string;
  /** Host names; `from` null: the user had no home. */
  readonly from: string | null;
  readonly to: string;
  /** Write time of the home; null where the GeoDB chose it (a conditional write). */
  readonly timestampMicros: number | null;
  readonly cause: 'newUser' | 'forceMove' | 'sourceOffline' | 'batchMove';
  readonly moveId: string | null;
}

export interface HomeChangeLog {
  append(change: HomeChange): void;
  close(): Promise<void>;
}

/** Opens (or continues) the file. */
export function openHomeChangeLog(file: string): HomeChangeLog {
  const stream = createWriteStream(file, { flags: 'a' });
  return {
    append(change) {
      stream.write(`${JSON.stringify({ atMs: Date.now(), ...change })}\n`);
    },
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
