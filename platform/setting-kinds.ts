/** What a setting is, and the kinds of values that settings have. */
import { z } from 'zod';

export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  /** As it would stand in the environment; undefined: none, then the value is null or required. */
  readonly defaultText: string | undefined;
  readonly isRequired: boolean;
  /** Also read from the file named by `<NAME>_FILE`; never printed. */
  readonly isSecret: boolean;
  readonly meaning: string;
}

interface SettingOptions {
  readonly default?: string;
  readonly isRequired?: boolean;
  readonly isSecret?: boolean;
}

export const define = <T>(
  schema: z.ZodType<T>,
  meaning: string,
  options: SettingOptions = {},
): Setting<T> => ({
  schema,
  meaning,
  defaultText: options.default,
  isRequired: options.isRequired ?? false,
  isSecret: options.isSecret ?? false,
});

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;

const decimal = (wanted: string, isFine: (value: number) => boolean): z.ZodType<number> =>
  z
    .string()
    .refine((text) => NUMBER.test(text) && isFine(Number(text)), `must be ${wanted}`)
    .transform(Number);

export const text = z.string().trim().min(1, 'must not be empty');
export const word = text.regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  'must be letters, digits, dot, dash or _',
);
export const keyspaceName = text.regex(
  /^[A-Za-z][A-Za-z0-9_]{0,47}$/,
  'must be a name of a keyspace',
);
export const ratio = decimal('a number from 0 to 1', (value) => value >= 0 && value <= 1);
export const percent = decimal('a number from 0 to 100', (value) => value >= 0 && value <= 100);
export const score = decimal('a number of 0 or more', (value) => value >= 0);
export const count = decimal(
  'a whole number of 0 or more',
  (value) => Number.isSafeInteger(value) && value >= 0,
);
export const positive = decimal(
  'a whole number of 1 or more',
  (value) => Number.isSafeInteger(value) && value >= 1,
);
export const secs = decimal(
  'seconds: a number above 0',
  (value) => value > 0 && value <= 10 * 365 * 86_400,
);
export const port = decimal(
  'a port from 1 to 65535',
  (value) => Number.isInteger(value) && isPort(value),
);
export const flag = z
  .string()
  .refine((value) => /^(true|false|1|0|yes|no)$/i.test(value), 'must be true or false')
  .transform((value) => /^(true|1|yes)$/i.test(value));

function isPort(value: number): boolean {
  return value >= 1 && value <= 65_535;
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export const listen = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'must be address:port')
  .transform((value): Listen => {
    const at = value.lastIndexOf(':');
    return {
      host: value.slice(0, at).replace(/^\[|\]$/g, ''),
      port: Number(value.slice(at + 1)),
    };
  })
  .refine((value) => value.port <= 65_535, 'must be address:port with a port up to 65535');

export const metricName = text.regex(/^[A-Za-z_:][A-Za-z0-9_:]*$/, 'must be a name of a metric');
export const selector = text
  .regex(/^[^{}]*$/, 'must be label matchers without braces')
  .refine((value) => value.includes('$site'), 'must hold $site, or other sites would count');
export const promql = text.refine((value) => value.includes('$site'), 'must hold $site');

export const url = (...schemes: readonly string[]): z.ZodType<string> =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)),
      `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    );

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

const pairsOf = (parts: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(parts.map((part) => part.split('=') as [string, string]));

const GEODB_TABLE =
  /^(sites|backends|users|site_reachability|cluster_settings|force_moves|site_controller)=[A-Za-z]\w{0,47}$/;

export const tables = list
  .refine(
    (parts) => parts.every((part) => GEODB_TABLE.test(part)),
    'must be table=name,table=name with tables that the GeoDB has',
  )
  .transform(pairsOf);

export const addresses = list
  .refine(
    (parts) => parts.every((part) => /^[^=\s]+=[^=\s]+$/.test(part)),
    'must be name=address,name=address',
  )
  .transform(pairsOf);

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
