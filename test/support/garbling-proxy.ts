/** An HTTP proxy before a real Prometheus, which hands on its answers spoilt as a test says. */
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Endpoint } from './tcp-proxy.ts';

/** What one query is answered with: text with status 200, a status, or the end of the connection. */
export type Garbler = (query: string, answer: string) => string | number | 'gone';

export interface GarblingProxy {
  /** Null: answers are handed on as they are. */
  garble(garbler: Garbler | null): void;
  close(): Promise<void>;
}

export async function startGarblingProxy(listen: Endpoint, target: string): Promise<GarblingProxy> {
  let garbler: Garbler | null = null;
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const body = await readBody(request);
      const asked = await fetch(`${target}${request.url ?? ''}`, {
        method: request.method ?? 'GET',
        headers: { 'content-type': request.headers['content-type'] ?? '' },
        ...(body === '' ? {} : { body }),
      });
      const text = await asked.text();
      const query = new URLSearchParams(body).get('query') ?? '';
      const reply = garbler === null ? text : garbler(query, text);
      if (reply === 'gone') response.destroy();
      else if (typeof reply === 'number') response.writeHead(reply).end();
      else response.writeHead(asked.status, { 'content-type': 'application/json' }).end(reply);
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  return {
    garble: (next) => {
      garbler = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
