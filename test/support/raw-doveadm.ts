/** doveadm over HTTP as raw bytes: servers that answer what a test says, and recorders before them. */
import { createServer, type Socket } from 'node:net';
import { startTcpProxy, type Endpoint, type TcpProxy } from './tcp-proxy.ts';

export interface DoveadmCall {
  readonly method: string;
  readonly path: string;
  /** Null: a GET, or a body that is not one command. */
  readonly command: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly tag: string;
}

/** Bytes to answer with; or the end of the connection; or nothing for ever. */
export type Reply = string | 'close' | 'reset' | 'silence';

export interface RawDoveadm {
  close(): Promise<void>;
}

export async function startRawDoveadm(
  { host, port }: Endpoint,
  answer: (call: DoveadmCall) => Promise<Reply> | Reply,
): Promise<RawDoveadm> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    const read = createRequestReader((call) => {
      void Promise.resolve(answer(call)).then((reply) => {
        if (reply === 'reset') socket.resetAndDestroy();
        else if (reply === 'close') socket.end();
        else if (reply !== 'silence') socket.end(reply);
      });
    });
    socket.on('data', read);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

export interface DoveadmRecorder extends TcpProxy {
  calls(): readonly DoveadmCall[];
  forget(): void;
}

export async function startDoveadmRecorder(
  listen: Endpoint,
  target: Endpoint,
): Promise<DoveadmRecorder> {
  const calls: DoveadmCall[] = [];
  const openTap = () => ({
    fromClient: createRequestReader((call) => void calls.push(call)),
    fromServer: () => undefined,
  });
  const proxy = await startTcpProxy(listen, target, { openTap });
  return {
    ...proxy,
    calls: () => [...calls],
    forget: () => {
      calls.length = 0;
    },
  };
}

/** One request a connection, as doveadm has it. */
function createRequestReader(onCall: (call: DoveadmCall) => void): (bytes: Buffer) => void {
  let text = '';
  let isRead = false;
  return (bytes) => {
    text += bytes.toString('latin1');
    const [head = '', body] = text.split('\r\n\r\n', 2);
    if (isRead || body === undefined) return;
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (body.length < length) return;
    isRead = true;
    const [method = '', path = ''] = head.split(' ', 2);
    onCall({ method, path, ...parseCommand(Buffer.from(body, 'latin1').toString('utf8')) });
  };
}

function parseCommand(body: string): Pick<DoveadmCall, 'command' | 'parameters' | 'tag'> {
  if (body === '') return { command: null, parameters: {}, tag: '' };
  const commands = JSON.parse(body) as [string, Record<string, unknown>, string][];
  const first = commands[0];
  if (commands.length !== 1 || first === undefined) {
    return { command: `${commands.length} commands`, parameters: {}, tag: '' };
  }
  const [command, parameters, tag] = first;
  return { command, parameters, tag };
}

/** An answer as Dovecot CE 2.3.19 was recorded to send them. */
export function httpAnswer(
  status: string,
  body: string,
  type = 'application/json; charset=utf-8',
): string {
  return [
    `HTTP/1.1 ${status}`,
    'Date: Mon, 23 Nov 2026 17:11:10 GMT',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...(body === '' ? [] : [`Content-Type: ${type}`]),
    '',
    body,
  ].join('\r\n');
}

export const okAnswer = (tag: string, rows: readonly object[] = []): string =>
  httpAnswer('200 OK', JSON.stringify([['doveadmResponse', rows, tag]]));

export const errorAnswer = (tag: string, type: string, exitCode: number): string =>
  httpAnswer('200 OK', `[["error",{"type":"${type}", "exitCode":${exitCode}},"${tag}"]]`);

const parameters = (names: Readonly<Record<string, string>>): object[] =>
  Object.entries(names).map(([name, type]) => ({ name, type }));
const PLAIN = [
  { command: 'who', parameters: parameters({ separateConnections: 'boolean', mask: 'array' }) },
  { command: 'kick', parameters: parameters({ mask: 'array' }) },
];
const UPDATE = {
  command: 'clusterBackendUpdate',
  parameters: parameters({ host: 'string', status: 'string', loadFactor: 'integer' }),
};
const COUNTS = { destHost: 'string', maxUsers: 'integer', minLastMoved: 'integer' };

/** What `GET /doveadm/v1` answers. */
export const COMMAND_LISTS = {
  /** Plain Dovecot CE: no cluster commands. */
  plain: httpAnswer('200 OK', JSON.stringify(PLAIN)),
  /** A batch move that takes no list of users. */
  counting: httpAnswer(
    '200 OK',
    JSON.stringify([
      ...PLAIN,
      UPDATE,
      { command: 'clusterUserBatchMove', parameters: parameters(COUNTS) },
    ]),
  ),
  whole: httpAnswer(
    '200 OK',
    JSON.stringify([
      ...PLAIN,
      UPDATE,
      {
        command: 'clusterUserBatchMove',
        parameters: parameters({
          user: 'array',
          ...COUNTS,
          moveTimestamp: 'integer',
          maxParallel: 'integer',
        }),
      },
    ]),
  ),
} as const;
