/** One JSON logger a process; parts take child loggers with their own fields. */
import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger } from 'pino';

/** Fields that are never written, wherever they turn up. */
const SECRETS = [
  'password',
  'apiKey',
  'token',
  'secret',
  'authorization',
  'cookie',
  '*.password',
  '*.apiKey',
  '*.token',
  '*.secret',
  '*.authorization',
  '*.cookie',
];

/** `role`: api, worker, or the name of a command. Writes to standard output. */
export function createLogger(options: { level: string; role: string; site?: string }): Logger {
  return pino({
    level: options.level,
    base: { role: options.role, ...(options.site === undefined ? {} : { site: options.site }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRETS, censor: '(not shown)' },
    serializers: { error: pino.stdSerializers.errWithCause },
  });
}
