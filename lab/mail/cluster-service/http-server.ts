/** A small HTTP server: one function answers all requests. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Endpoint } from './settings.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body?: string;
  readonly contentType?: string;
}

/** How long an idle connection stays open: longer than its clients keep theirs. */
const KEEP_ALIVE_MS = 600_000;

/** Listens until closed; rejects where the port cannot be had. A throwing handler answers 500. */
export async function listenHttp(
  { address, port }: Endpoint,
  answer: (url: URL, request: IncomingMessage) => Promise<HttpAnswer>,
): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    answer(url, request).then(
      ({ status, body = '', contentType = 'text/plain; charset=utf-8' }) => {
        if (status === 204) return void response.writeHead(204).end();
        // With its length the answer is one write, without it three.
        const length = Buffer.byteLength(body);
        response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': length });
        response.end(body);
      },
      () => response.writeHead(500).end(),
    );
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, resolve);
  });
  return server;
}
