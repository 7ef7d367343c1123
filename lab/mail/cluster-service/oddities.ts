/**
 * Misbehaviour on request, for robustness tests of clients: what doveadm HTTP servers in the wild
 * were seen to do. A file holds lines of `<oddity> [command]`; without a command it is for all.
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';

export const ODDITIES = [
  'missing-comma', // an in-band error and the next element without a comma between them
  'no-response', // the connection closes without a byte
  'bad-request', // HTTP 400 after the command was run
  'nonsense', // HTTP 200 with text that is no JSON
  'wrong-shape', // JSON, but not an array of elements
  'error-in-band', // HTTP 200 with an error element; the command is not run
  'no-effect', // HTTP 200 with an empty success; the command is not run
  'truncated', // the answer stops half-way
  'hang', // the request is read and never answered
  'hide-user-list', // the command list shows no `user` on clusterUserBatchMove, which refuses it
  'hide-move-timestamp', // the same for `moveTimestamp`
  'hide-cluster-commands', // a plain Dovecot CE
] as const;
export type Oddity = (typeof ODDITIES)[number];

export interface ActiveOddities {
  /** Whether the oddity holds, for this command or for all. */
  has(oddity: Oddity, command?: string): boolean;
}

/** Read at every request, so that tests can switch at any time. No file: none. */
export async function readOddities(file: string | null): Promise<ActiveOddities> {
  const text = file === null ? '' : await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  return {
    has: (oddity, command) =>
      lines.some(([word, only]) => word === oddity && (only === undefined || only === command)),
  };
}

/** Whether the command list hides this parameter, and the command refuses it. */
export function isHiddenParameter(command: string, parameter: string, oddities: ActiveOddities) {
  if (command !== 'clusterUserBatchMove') return false;
  if (parameter === 'user') return oddities.has('hide-user-list');
  return parameter === 'moveTimestamp' && oddities.has('hide-move-timestamp');
}

export interface OddAnswer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The answer as it should be. */
  readonly text: string;
  readonly oddities: ActiveOddities;
  /** The first command of the request; `GET` for the command list. */
  readonly command: string;
}

/** Answers wrongly where that was asked for; false: answer normally. */
export function answerOddly({ request, response, text, oddities, command }: OddAnswer): boolean {
  const reply = (status: number, body: string, length = Buffer.byteLength(body)) => {
    const type = status === 200 ? 'application/json; charset=utf-8' : 'text/plain';
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': length,
      Connection: 'close',
    });
    return response.write(body, () => request.socket.destroySoon());
  };
  if (oddities.has('hang', command)) return true;
  if (oddities.has('no-response', command)) request.socket.destroy();
  else if (oddities.has('bad-request', command)) reply(400, "JSON parse error: Missing '}'\r\n");
  else if (oddities.has('nonsense', command)) reply(200, '<html>It works!</html>');
  else if (oddities.has('wrong-shape', command)) reply(200, '{"doveadmResponse":"yes"}');
  else if (oddities.has('truncated', command)) {
    reply(200, text.slice(0, Math.ceil(text.length / 2)), text.length);
  } else if (oddities.has('missing-comma', command)) {
    reply(200, `[["error",{"type":"unknownMethod", "exitCode":0},"x"]${text.slice(1)}`);
  } else return false;
  return true;
}
