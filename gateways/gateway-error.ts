/** The one error that every gateway throws. */
export const GATEWAY_SYSTEMS = ['cassandra', 'doveadm', 'prometheus', 'redis', 'temporal'] as const;
export type GatewaySystem = (typeof GATEWAY_SYSTEMS)[number];

export interface GatewayErrorFields {
  readonly system: GatewaySystem;
  /** What was tried, as a word: `readBackends`, `batchMove`. */
  readonly operation: string;
  /** True: the same call may work later. False: it will be refused again. */
  readonly isTemporary: boolean;
  /** Stable code to branch on. */
  readonly code:
    | 'Unreachable'
    | 'NameNotResolved'
    | 'Timeout'
    | 'Refused'
    | 'NotFound'
    | 'BadAnswer'
    | 'Unauthorized'
    | 'MissingTable'
    | 'UnknownCommand'
    | 'InvalidArgument';
  /** The Backend, table or setting that it is about. */
  readonly subject?: string;
}

export class GatewayError extends Error {
  readonly system: GatewaySystem;
  readonly operation: string;
  readonly isTemporary: boolean;
  readonly code: GatewayErrorFields['code'];
  readonly subject: string | null;

  constructor(message: string, fields: GatewayErrorFields, cause?: unknown) {
    super(message, { cause });
    this.name = 'GatewayError';
    this.system = fields.system;
    this.operation = fields.operation;
    this.isTemporary = fields.isTemporary;
    this.code = fields.code;
    this.subject = fields.subject ?? null;
  }
}
