/** Asks a real doveadm over HTTP: one command a request, which spares us most of its oddities. */
import { request } from 'node:http';
import { authorizationOf } from './api-key.ts';
import type { Endpoint } from './settings.ts';

export type DoveadmReply =
  | { readonly kind: 'rows'; readonly rows: readonly Record<string, unknown>[] }
  | { readonly kind: 'error'; readonly type: string; readonly exitCode: number };

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

export interface Session {
  readonly username: string;
  readonly service: string;
}

const TIMEOUT_MS = 10_000;
/** Exit code of doveadm: there is nobody of that name. */
export const NOT_FOUND = 68;

export interface DoveadmClient {
  /** Rejects where nobody answers, or not with JSON. */
  run(command: string, parameters: Record<string, unknown>): Promise<DoveadmReply>;
  /** The command list, as the server sends it. */
  readCommands(): Promise<HttpReply>;
  /** Sessions of everybody. */
  who(): Promise<Session[]>;
  /**
   * Ends the processes that serve this user, and with them the sessions of whoever else they serve: over HTTP
   * doveadm's `kick` is always by force. Nobody to kick is fine.
   */
  kickProcesses(username: string): Promise<void>;
  /**
   * Of a proxy: cuts the sessions that it sent on for these users to these Backends, as the field `user_home` of its
   * lookups has it. Nobody to kick is fine.
   */
  proxyKick(homes: readonly string[]): Promise<void>;
}

/** A client of the doveadm HTTP at the endpoint. */
export function createDoveadmClient(endpoint: Endpoint, apiKey: string): DoveadmClient {
  const authorization = authorizationOf(apiKey);
  const call = (method: string, body?: string) => send(endpoint, { method, authorization, body });
  const run = async (command: string, parameters: Record<string, unknown>) => {
    const reply = await call('POST', JSON.stringify([[command, parameters, 't']]));
    if (reply.status !== 200) throw new Error(`doveadm ${command}: HTTP ${reply.status}`);
    return parseReply(JSON.parse(reply.body));
  };
  const runForNobody = async (command: string, parameters: Record<string, unknown>) => {
    const reply = await run(command, parameters);
    if (reply.kind === 'error' && reply.exitCode !== NOT_FOUND) {
      throw new Error(`doveadm ${command}: ${reply.type} ${reply.exitCode}`);
    }
  };
  return {
    run,
    readCommands: () => call('GET'),
    async who() {
      const reply = await run('who', { separateConnections: true });
      if (reply.kind === 'error') throw new Error(`doveadm who: ${reply.type}`);
      return reply.rows.map((row) => ({
        username: String(row['username']),
        service: String(row['service']),
      }));
    },
    kickProcesses: (username) => runForNobody('kick', { mask: [username] }),
    proxyKick: (homes) => runForNobody('proxyKick', { passdbField: 'user_home', user: homes }),
  };
}

/** With several groups of rows, `who` puts them side by side: everything before the tag is rows. */
function parseReply(reply: unknown): DoveadmReply {
  const element: unknown = Array.isArray(reply) ? reply[0] : undefined;
  if (!Array.isArray(element)) throw new Error('doveadm: no reply element');
  const [kind, first] = element as unknown[];
  if (kind === 'doveadmResponse') {
    return { kind: 'rows', rows: element.slice(1, -1).flat() as Record<string, unknown>[] };
  }
  const { type, exitCode } = first as { type?: string; exitCode?: number };
  return { kind: 'error', type: type ?? 'internalError', exitCode: exitCode ?? 0 };
}

function send(
  { address, port }: Endpoint,
  {
    method,
    authorization,
    body,
  }: { method: string; authorization: string; body?: string | undefined },
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { Authorization: authorization };
    if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = Buffer.byteLength(body);
    }
    const options = { host: address, port, method, path: '/doveadm/v1', headers, agent: false };
    const call = request({ ...options, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`doveadm: no answer in ${TIMEOUT_MS} ms`)));
    call.on('error', reject);
    call.end(body);
  });
}
