/** A neighbour that answers JSON over HTTP as a test says, and keeps what it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface PlayedHttp<Asked> {
  readonly address: string;
  readonly port: number;
  /** The bodies, first one first. */
  readonly asked: readonly Asked[];
  /** Dies: whoever is connected is cut, and nobody listens. */
  close(): void;
}

/**
 * Lives until the test has ended.
 *
 * @param answer of how many requests there were, this one included; null: it takes the request and says nothing.
 */
export async function playHttp<Asked>(
  answer: (requests: number) => string | null,
): Promise<PlayedHttp<Asked>> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      asked.push(JSON.parse(body) as Asked);
      const reply = answer(asked.length);
      if (reply !== null) response.end(reply);
    });
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(close);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port, asked, close };
}
