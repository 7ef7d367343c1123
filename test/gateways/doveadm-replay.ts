/** A raw TCP server that answers recorded bytes to doveadm requests. */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createDoveadm } from '../../gateways/doveadm/http-doveadm.ts';
import type { Doveadm } from '../../gateways/doveadm/doveadm.ts';
import { metrics } from './gateway-rig.ts';

/** Bytes, or what a server does that sends none. */
export type Reply = { readonly bytes: string } | 'close' | 'silence' | 'reset';

export class DoveadmReplay {
  /** As received: head and body. */
  requests: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];

  /** Reads one request a connection and answers the next reply, the last one for ever. */
  async start(...replies: Reply[]): Promise<Doveadm> {
    let at = 0;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (part) => {
        text += part.toString();
        if (!isWhole(text)) return;
        this.requests.push(text);
        const reply = replies[Math.min(at++, replies.length - 1)] ?? 'close';
        if (reply === 'reset') socket.resetAndDestroy();
        else if (reply === 'close') socket.end();
        else if (reply !== 'silence') socket.end(reply.bytes);
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const hostAddresses = { mail1: '127.0.0.1', mail2: '127.0.2.2' };
    return createDoveadm({ port, apiKey: 'labapikey', hostAddresses }, metrics);
  }

  bodyOf(index: number): unknown {
    return JSON.parse(this.requests[index]?.split('\r\n\r\n')[1] ?? '');
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
    this.requests = [];
  }
}

function isWhole(text: string): boolean {
  const [head, body] = text.split('\r\n\r\n');
  if (body === undefined) return false;
  const length = Number(/content-length: (\d+)/i.exec(head ?? '')?.[1] ?? 0);
  return Buffer.byteLength(body) >= length;
}

export function http(
  status: string,
  body: string,
  type = 'application/json; charset=utf-8',
): { readonly bytes: string } {
  const lines = [
    `HTTP/1.1 ${status}`,
    'Date: Mon, 23 Nov 2026 17:11:10 GMT',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    `Content-Type: ${type}`,
    '',
    body,
  ];
  return { bytes: lines.join('\r\n') };
}

/** What a command that ran well answers. */
export const DONE = http('200 OK', '[["doveadmResponse",[],"t1"]]');
