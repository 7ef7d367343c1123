/** What a `cluster` command is: its name, its parameters, and what it does. */
import type { BackendContext } from './backend-context.ts';

export type ParameterType = 'string' | 'array' | 'integer';
export type ParameterValue = string | string[] | number;
export type Parameters = Readonly<Record<string, ParameterValue | undefined>>;

export interface ClusterCommand {
  readonly name: string;
  readonly parameters: Readonly<Record<string, ParameterType>>;
  /** Missing ones are a usage error. */
  readonly required: readonly string[];
  /** Answers the rows; throws CommandError, or what the GeoDB throws (a temporary failure). */
  readonly run: (
    parameters: Parameters,
    context: BackendContext,
    signal: AbortSignal,
  ) => Promise<Record<string, string | null>[]>;
}

export const EXIT_USAGE = 64;
export const EXIT_NO_USER = 67;
export const EXIT_NO_HOST = 68;
export const EXIT_TEMPORARY = 75;

/** The command ran and failed. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Thrown for a parameter that does not exist or has the wrong type. */
export class InvalidRequestError extends Error {}

/** Checks types as doveadm does: numbers may come as text, one string is a list of one. */
export function readParameters(
  command: ClusterCommand,
  given: Readonly<Record<string, unknown>>,
): Parameters {
  const read = Object.entries(given).map(([name, value]) => {
    const type = command.parameters[name];
    if (type === undefined) throw new InvalidRequestError(`no parameter ${name}`);
    return [name, readValue(type, value)] as const;
  });
  const parameters: Parameters = Object.fromEntries(read);
  const missing = command.required.filter((name) => parameters[name] === undefined);
  if (missing.length > 0) throw new CommandError(EXIT_USAGE, `${missing.join(', ')} missing`);
  return parameters;
}

function readValue(type: ParameterType, value: unknown): ParameterValue {
  if (type === 'array') {
    const list: unknown = typeof value === 'string' ? [value] : value;
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
    throw new InvalidRequestError('must be an array of strings');
  }
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new InvalidRequestError(`must be ${type}`);
  }
  if (type === 'string') return String(value);
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidRequestError('must be integer');
  return number;
}
