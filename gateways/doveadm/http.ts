/** One HTTP request to doveadm: a connection of its own, one answer, then closed. */
import { request } from 'node:http';
import { isIP } from 'node:net';
import type { IncomingMessage, RequestOptions } from 'node:http';

export interface DoveadmRequest {
  readonly method: 'GET' | 'POST';
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly apiKey: string;
  /** JSON; none for GET. */
  readonly body: string | null;
  readonly signal: AbortSignal;
}

export interface DoveadmAnswer {
  readonly status: number;
  readonly text: string;
}

/** Why there is no answer: `noAddress` did not find out where the host is, `noAnswer` reached it. */
export class DoveadmSilence extends Error {
  readonly kind: 'noAddress' | 'noConnection' | 'noAnswer' | 'brokenAnswer';

  constructor(kind: DoveadmSilence['kind'], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'DoveadmSilence';
    this.kind = kind;
  }
}

/** More than any list of sessions of one host. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Rejects with DoveadmSilence, or with the reason of the signal. */
export function exchange(wanted: DoveadmRequest): Promise<DoveadmAnswer> {
  return new Promise((resolve, reject) => {
    let kind: DoveadmSilence['kind'] = isIP(wanted.address) === 0 ? 'noAddress' : 'noConnection';
    const fail = (error: unknown): void => {
      const { aborted, reason } = wanted.signal as { aborted: boolean; reason: unknown };
      // A resolver that answers too late has not told where the host is either.
      const isLateName = kind === 'noAddress' && isTimeout(reason);
      reject(aborted && !isLateName ? (reason as Error) : new DoveadmSilence(kind, error));
    };
    if (wanted.signal.aborted) {
      fail(null);
      return;
    }
    const outgoing = request(toOptions(wanted), (answer) => {
      kind = 'brokenAnswer';
      readText(answer).then((text) => {
        resolve({ status: answer.statusCode ?? 0, text });
      }, fail);
    });
    outgoing.on('socket', (socket) => {
      socket.once('lookup', (error: Error | null) => {
        if (error === null) kind = 'noConnection';
      });
      socket.once('connect', () => {
        kind = 'noAnswer';
      });
    });
    outgoing.on('error', fail);
    // CE closes after each answer by itself; asked to, it never answers a wrong key at all.
    outgoing.removeHeader('connection');
    outgoing.end(wanted.body ?? undefined);
  });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}

function toOptions({ method, address, port, path, apiKey, body, signal }: DoveadmRequest) {
  const options: RequestOptions = {
    method,
    host: address,
    port,
    path,
    signal,
    // The server closes after each answer: a kept connection would only lose the next request.
    agent: false,
    headers: {
      authorization: `X-Dovecot-API ${Buffer.from(apiKey).toString('base64')}`,
      ...(body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  };
  return options;
}

async function readText(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
