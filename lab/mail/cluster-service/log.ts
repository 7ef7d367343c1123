/** One JSON line a message, on standard output. No user names above debug. */

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log whose lines all carry the given fields. */
export function createLog(context: LogFields): Log {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      const line = { time: new Date().toISOString(), level, message, ...context, ...fields };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    };
  return { info: write('info'), warn: write('warn'), error: write('error') };
}
