/** The REST process: the API, its live stream, the built UI. Run as many as you like. */
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { initControllerStore } from '../gateways/controller-store/init.ts';
import { createGateways } from '../gateways/create-gateways.ts';
import { ConfigError, readConfig } from '../platform/config.ts';
import { outliveDriverSlips } from '../platform/driver-slips.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { untilDone } from '../platform/retry.ts';
import { createShutdown } from '../platform/shutdown.ts';
import { createApp } from './app.ts';

const SHUTDOWN_DEADLINE_MS = 10_000;
/** Requests under way get this long before their connections are cut. */
const GRACE_MS = 3_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger({ level: config.log.level, role: 'api', site: config.site });
  outliveDriverSlips(logger);
  for (const notice of config.notices) logger.warn(notice);
  const shutdown = createShutdown(logger, { deadlineMs: SHUTDOWN_DEADLINE_MS });
  const metrics = createMetrics();
  const gateways = createGateways(config, logger, metrics);
  shutdown.add('gateways', () => gateways.close());
  const app = createApp({ ...gateways, config, logger, metrics, now: Date.now });
  const server = createServer(getRequestListener(app.http.fetch));
  await listen(server, config.http.port, config.http.host);
  shutdown.add('http server', () => stop(server));
  shutdown.add('live streams', () => app.close());
  logger.info({ address: config.http.publicUrl }, 'listening');
  // Answers, also "Cassandra does not work", are given meanwhile.
  await untilDone('migrate the controller store', logger, () =>
    initControllerStore(config, logger),
  );
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Takes no more, lets what is under way end, then cuts. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
    }, GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
