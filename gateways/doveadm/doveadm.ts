/** doveadm over HTTP: the hand that moves users, on Backends and on proxies. */
import type { BackendStatus } from '../../workflows/domain/backend.ts';
import type { GatewayErrorFields } from '../gateway-error.ts';

export interface BatchMoveRequest {
  readonly sourceHost: string;
  readonly targetHost: string;
  readonly usernames: readonly string[];
  /** Seconds a user must have stayed before being moved again; null: no such limit. */
  readonly minLastMovedSecs: number | null;
  /** How many the source moves at a time. */
  readonly maxParallel: number;
  readonly moveTimestampMicros: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type DoveadmSilenceCode = GatewayErrorFields['code'];

/** What the Backend's command list shows (`GET /doveadm/v1`). */
export interface DoveadmCommands {
  readonly hasClusterCommands: boolean;
  readonly hasUserList: boolean;
  readonly hasMoveTimestamp: boolean;
}

/** Every method throws GatewayError{system: 'doveadm', subject: host}. */
export interface Doveadm {
  /** Command discovery; also the reachability check. Cached for `maxAgeMs`. */
  readCommands(
    host: string,
    options: { timeoutMs: number; maxAgeMs: number },
  ): Promise<DoveadmCommands>;
  /** Never throws: the code of the error where the host does not answer as it should; null: it does. */
  findSilence(host: string, timeoutMs: number): Promise<DoveadmSilenceCode | null>;
  /** Never throws: false where the Backend does not answer in time. */
  isAnswering(host: string, timeoutMs: number): Promise<boolean>;
  /** One command for the whole chunk. The reply is no proof: read the homes afterwards. */
  batchMove(request: BatchMoveRequest): Promise<void>;
  /** `cluster backend update --status`, through `viaHost`. */
  updateStatus(viaHost: string, host: string, status: BackendStatus): Promise<void>;
  /** Ends the sessions of one user on one Backend; nobody to kick is fine. */
  kick(host: string, username: string): Promise<void>;
  /** Users with proxied sessions of one proxy to the given Backend. */
  listProxySessions(proxyHost: string, backendHost: string): Promise<Set<string>>;
  /** Ends the sessions of one user on one proxy; nobody to kick is fine. */
  proxyKick(proxyHost: string, username: string): Promise<void>;
  /** Users with sessions on a Backend. */
  who(host: string): Promise<Set<string>>;
}
