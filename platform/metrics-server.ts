/** The HTTP server of a worker: `/metrics` and `/health/live`, nothing else. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { Listen } from './settings.ts';

export interface MetricsServer {
  /** As bound: port 0 becomes the port that was given. */
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects where the address cannot be bound. */
export async function startMetricsServer(
  listen: Listen,
  metrics: Metrics,
  logger: Logger,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    answer(request, response, metrics).catch((error: unknown) => {
      logger.error({ error }, 'metrics request failed');
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  metrics: Metrics,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else if (path === '/metrics') {
    const body = await metrics.render();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(body);
  } else if (path === '/health/live') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"live":true}');
  } else {
    response.writeHead(404).end();
  }
}
