/** What the Cassandra driver throws, as GatewayError: by class and code, never by text. */
import cassandra from 'cassandra-driver';
import { describeError } from '../platform/describe-error.ts';
import { GatewayError } from './gateway-error.ts';
import type { GatewayErrorFields } from './gateway-error.ts';

/** Error codes of the native protocol. */
const BAD_CREDENTIALS = 0x0100;
const UNAVAILABLE = 0x1000;
const WRITE_TIMEOUT = 0x1100;
const READ_TIMEOUT = 0x1200;
const CAS_WRITE_UNKNOWN = 0x1700;
const SYNTAX_ERROR = 0x2000;
const UNAUTHORIZED = 0x2100;
export const INVALID = 0x2200;
const CONFIG_ERROR = 0x2300;

type Verdict = Pick<GatewayErrorFields, 'code' | 'isTemporary'>;

const BY_PROTOCOL_CODE: Readonly<Record<number, Verdict>> = {
  [BAD_CREDENTIALS]: { code: 'Unauthorized', isTemporary: false },
  [UNAVAILABLE]: { code: 'Unreachable', isTemporary: true },
  [WRITE_TIMEOUT]: { code: 'Timeout', isTemporary: true },
  [READ_TIMEOUT]: { code: 'Timeout', isTemporary: true },
  [CAS_WRITE_UNKNOWN]: { code: 'Timeout', isTemporary: true },
  [SYNTAX_ERROR]: { code: 'InvalidArgument', isTemporary: false },
  [UNAUTHORIZED]: { code: 'Unauthorized', isTemporary: false },
  [INVALID]: { code: 'InvalidArgument', isTemporary: false },
  [CONFIG_ERROR]: { code: 'InvalidArgument', isTemporary: false },
};

const { errors } = cassandra;

/** `subject`: the table that it is about. */
export function toCassandraError(
  error: unknown,
  operation: string,
  subject: string | undefined,
): GatewayError {
  const verdict = judge(error);
  const about = subject === undefined ? '' : ` of ${subject}`;
  return new GatewayError(
    `Cassandra: ${operation}${about} failed: ${describe(error)}`,
    { system: 'cassandra', operation, ...verdict, ...(subject === undefined ? {} : { subject }) },
    error,
  );
}

/** The protocol code of a refusal by the server; null for everything else. */
export function protocolCodeOf(error: unknown): number | null {
  return error instanceof errors.ResponseError ? error.code : null;
}

function judge(error: unknown): Verdict {
  const protocolCode = protocolCodeOf(error);
  if (protocolCode !== null) {
    return BY_PROTOCOL_CODE[protocolCode] ?? { code: 'Refused', isTemporary: true };
  }
  if (error instanceof errors.OperationTimedOutError) {
    return { code: 'Timeout', isTemporary: true };
  }
  if (error instanceof errors.NoHostAvailableError) return judgeHosts(error);
  if (error instanceof errors.AuthenticationError) {
    return { code: 'Unauthorized', isTemporary: false };
  }
  if (error instanceof TypeError || error instanceof errors.ArgumentError) {
    return { code: 'InvalidArgument', isTemporary: false };
  }
  return { code: 'Unreachable', isTemporary: true };
}

/** No host answered: what each of them did decides. */
function judgeHosts(error: cassandra.errors.NoHostAvailableError): Verdict {
  const verdicts = [...innerErrorsOf(error).values()].map((one) => judge(one));
  const refusal = verdicts.find(({ code }) => code === 'Unauthorized');
  if (refusal !== undefined) return refusal;
  const isSlow = verdicts.length > 0 && verdicts.every(({ code }) => code === 'Timeout');
  return { code: isSlow ? 'Timeout' : 'Unreachable', isTemporary: true };
}

function describe(error: unknown): string {
  if (!(error instanceof errors.NoHostAvailableError)) {
    return describeError(error);
  }
  const hosts = [...innerErrorsOf(error)].map(
    ([host, one]) => `${host} (${one instanceof Error ? one.message : '?'})`,
  );
  return `no host answers${hosts.length === 0 ? '' : `: ${hosts.join(', ')}`}`;
}

function innerErrorsOf(error: cassandra.errors.NoHostAvailableError): Map<string, unknown> {
  const inner = error.innerErrors as Readonly<Record<string, unknown>> | null;
  return new Map(Object.entries(inner ?? {}));
}
