/** What doveadm answered, as rows or as GatewayError: by status, type and exit code, never by text. */
import { z } from 'zod';
import { describeError } from '../../platform/describe-error.ts';
import { GatewayError } from '../gateway-error.ts';
import type { GatewayErrorFields } from '../gateway-error.ts';
import type { DoveadmAnswer } from './http.ts';
import { DoveadmSilence } from './http.ts';
import { EXIT_CODES } from './names.ts';

type Verdict = Pick<GatewayErrorFields, 'code' | 'isTemporary'>;
export type ResultRow = Readonly<Record<string, unknown>>;

/** A failed command; `exitCode` null where it was not even run. */
export class CommandError extends GatewayError {
  readonly exitCode: number | null;

  constructor(message: string, fields: GatewayErrorFields, exitCode: number | null) {
    super(message, fields);
    this.exitCode = exitCode;
  }
}

export interface CommandListEntry {
  readonly command: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
}

interface Context {
  readonly operation: string;
  readonly host: string;
}

const failure = z.object({ type: z.string(), exitCode: z.coerce.number().optional() });
const commandList = z.array(
  z.object({
    command: z.string(),
    parameters: z
      .array(z.object({ name: z.string(), type: z.string().default('string') }))
      .default([]),
  }),
);

/** The rows of the one command that was sent with `tag`. */
export function readRows(answer: DoveadmAnswer, tag: string, context: Context): ResultRow[] {
  const elements = parse(answer, context);
  const element: unknown = Array.isArray(elements) ? elements[0] : undefined;
  if (!Array.isArray(element) || element.at(-1) !== tag) {
    throw badAnswer('is not the answer to the command', context);
  }
  const [kind, ...rest] = element.slice(0, -1) as unknown[];
  if (kind === 'error') throw toCommandError(rest[0], context);
  if (kind !== 'doveadmResponse') throw badAnswer('has an unknown kind', context);
  // Some commands of CE put their second and later rows beside the list of rows.
  return rest.flat().filter(isRow);
}

/** The commands that a host knows. */
export function readCommandList(answer: DoveadmAnswer, context: Context): CommandListEntry[] {
  const parsed = commandList.safeParse(parse(answer, context));
  if (!parsed.success) throw badAnswer('is no list of commands', context);
  return parsed.data;
}

const SILENCES = {
  noAddress: 'NameNotResolved',
  noConnection: 'Unreachable',
  noAnswer: 'BadAnswer',
  brokenAnswer: 'BadAnswer',
} as const satisfies Record<DoveadmSilence['kind'], Verdict['code']>;

/** For what never became an answer. */
export function toDoveadmError(error: unknown, { operation, host }: Context): GatewayError {
  const verdict: Verdict =
    error instanceof DoveadmSilence
      ? { code: SILENCES[error.kind], isTemporary: true }
      : isTimeout(error)
        ? { code: 'Timeout', isTemporary: true }
        : { code: 'BadAnswer', isTemporary: true };
  const what = describeError(error);
  return new GatewayError(
    `doveadm of ${host}: ${operation} failed: ${what}`,
    { system: 'doveadm', operation, subject: host, ...verdict },
    error,
  );
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

function parse({ status, text }: DoveadmAnswer, context: Context): unknown {
  if (status !== 200) {
    throw new GatewayError(`doveadm of ${context.host}: ${context.operation}: HTTP ${status}`, {
      system: 'doveadm',
      operation: context.operation,
      subject: context.host,
      ...judgeStatus(status),
    });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badAnswer('is no JSON', context);
  }
}

function judgeStatus(status: number): Verdict {
  if (status === 401 || status === 403) return { code: 'Unauthorized', isTemporary: false };
  if (status === 404) return { code: 'NotFound', isTemporary: false };
  if (status >= 400 && status < 500) return { code: 'InvalidArgument', isTemporary: false };
  return { code: status >= 500 ? 'Refused' : 'BadAnswer', isTemporary: true };
}

function toCommandError(element: unknown, context: Context): CommandError | GatewayError {
  const parsed = failure.safeParse(element);
  if (!parsed.success) return badAnswer('has an error without a type', context);
  const { type, exitCode } = parsed.data;
  const verdict = judgeFailure(type, exitCode);
  const code = type === 'exitCode' ? (exitCode ?? null) : null;
  return new CommandError(
    `doveadm of ${context.host}: ${context.operation} failed: ${type}${code === null ? '' : ` ${code}`}`,
    { system: 'doveadm', operation: context.operation, subject: context.host, ...verdict },
    code,
  );
}

function judgeFailure(type: string, exitCode: number | undefined): Verdict {
  switch (type) {
    case 'unknownMethod':
      return { code: 'UnknownCommand', isTemporary: false };
    case 'unAuthorized':
      return { code: 'Unauthorized', isTemporary: false };
    case 'invalidRequest':
      return { code: 'InvalidArgument', isTemporary: false };
    case 'exitCode':
      return judgeExitCode(exitCode);
    default:
      return { code: 'Refused', isTemporary: true };
  }
}

function judgeExitCode(exitCode: number | undefined): Verdict {
  switch (exitCode) {
    case EXIT_CODES.usage:
      return { code: 'InvalidArgument', isTemporary: false };
    case EXIT_CODES.noUser:
    case EXIT_CODES.notFound:
      return { code: 'NotFound', isTemporary: false };
    case EXIT_CODES.noPermission:
    case EXIT_CODES.badConfiguration:
      return { code: 'Refused', isTemporary: false };
    default:
      return { code: 'Refused', isTemporary: true };
  }
}

function badAnswer(what: string, { operation, host }: Context): GatewayError {
  return new GatewayError(`doveadm of ${host}: ${operation}: the answer ${what}`, {
    system: 'doveadm',
    operation,
    subject: host,
    code: 'BadAnswer',
    isTemporary: true,
  });
}

function isRow(value: unknown): value is ResultRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
