/** Lines of JSON in a file that is put aside (`.1`) when it has become large. */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { createWriteStream, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';

export interface RotatingLog {
  append(record: object): void;
  close(): Promise<void>;
}

/** Continues the file; the one put aside before is dropped. */
export function openRotatingLog(file: string, maxBytes: number): RotatingLog {
  mkdirSync(dirname(file), { recursive: true });
  let bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  let stream: WriteStream = createWriteStream(file, { flags: 'a' });
  return {
    append(record) {
      const line = `${JSON.stringify(record)}\n`;
      if (bytes + line.length > maxBytes) {
        stream.end();
        renameSync(file, `${file}.1`);
        stream = createWriteStream(file, { flags: 'a' });
        bytes = 0;
      }
      bytes += line.length;
      stream.write(line);
    },
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
