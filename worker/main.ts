/** The worker process: runs workflows and activities of one site. Run as many as you like. */
import { flushCompileCache } from 'node:module';
import { DefaultLogger, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import type { ActivityContext } from '../activities/context.ts';
import { createGateways } from '../gateways/create-gateways.ts';
import { initControllerStore } from '../gateways/controller-store/init.ts';
import { ConfigError, readConfig, type Config } from '../platform/config.ts';
import { outliveDriverSlips } from '../platform/driver-slips.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { startMetricsServer } from '../platform/metrics-server.ts';
import { untilDone } from '../platform/retry.ts';
import { createShutdown, type Shutdown } from '../platform/shutdown.ts';
import { createTemporalClient, type TemporalClient } from '../platform/temporal.ts';
import { createWorker } from './create-worker.ts';
import { keepRhythms } from './schedules.ts';
import { wakeMovers } from './wake-movers.ts';

const SHUTDOWN_DEADLINE_MS = 15_000;
const RHYTHM_CHECK_MS = 60_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger({ level: config.log.level, role: 'worker', site: config.site });
  outliveDriverSlips(logger);
  for (const notice of config.notices) logger.warn(notice);
  const shutdown = createShutdown(logger, { deadlineMs: SHUTDOWN_DEADLINE_MS });
  const metrics = createMetrics();
  installRuntime(logger);
  const gateways = createGateways(config, logger, metrics);
  shutdown.add('gateways', () => gateways.close());
  const server = await startMetricsServer(config.metrics, metrics, logger);
  shutdown.add('metrics server', () => server.close());
  const temporal = createTemporalClient(config.temporal);
  shutdown.add('temporal client', () => temporal.close());
  void wakeMovers(temporal, config.site, logger);
  const rhythms = createRhythms(temporal, config, logger);
  shutdown.add('rhythms', () => rhythms.stop());
  // A second of loading workflows goes on beside it: movers wait for a worker that was killed.
  const migrated = untilDone('migrate the controller store', logger, () =>
    initControllerStore(config, logger),
  );
  await runWorkers({ ...gateways, config, logger, metrics }, shutdown, {
    beforeWork: () => migrated,
    whenRunning: () => void rhythms.keep(),
  });
}

/** Temporal's own log goes through ours; signals are ours as well, so that stopping has one order. */
function installRuntime(logger: Logger): void {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      const fields = { ...meta };
      if (level === 'ERROR') logger.error(fields, message);
      else logger.warn(fields, message);
    }),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
}

/** Schedules and endless tasks are put right when a worker runs and every minute from then on. */
function createRhythms(
  { client }: TemporalClient,
  config: Config,
  logger: Logger,
): { keep(): Promise<void>; stop(): void } {
  let isKeeping = false;
  const keep = async (): Promise<void> => {
    if (isKeeping) return;
    isKeeping = true;
    await untilDone('put the tasks in line', logger, () => keepRhythms(client, config));
    isKeeping = false;
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    keep: () => {
      timer ??= setInterval(() => void keep(), RHYTHM_CHECK_MS);
      return keep();
    },
    stop: () => clearInterval(timer),
  };
}

interface WorkerSteps {
  /** What has to be there before a worker takes work. */
  beforeWork(): Promise<void>;
  whenRunning(): void;
}

/** A worker that falls over is replaced within the process. */
async function runWorkers(
  context: ActivityContext,
  shutdown: Shutdown,
  { beforeWork, whenRunning }: WorkerSteps,
): Promise<void> {
  const { config, logger } = context;
  let isStopping = false;
  let worker: Worker | null = null;
  let ended: Promise<void> = Promise.resolve();
  shutdown.add('worker', async () => {
    isStopping = true;
    if (worker?.getState() === 'RUNNING') worker.shutdown();
    await ended;
  });
  while (!isStopping) {
    const connection = await untilDone('connect to Temporal', logger, () =>
      NativeConnection.connect({ address: config.temporal.address }),
    );
    worker = await untilDone('create the worker', logger, () => createWorker(context, connection));
    await beforeWork();
    // whoever was told to stop meanwhile has closed what a worker needs
    if (isStopping) return;
    logger.info('worker runs');
    // Where there is a cache (NODE_COMPILE_CACHE): a worker that is killed never writes it at its end.
    flushCompileCache();
    ended = worker.run().catch((error: unknown) => {
      logger.error({ error }, 'worker fell over, starting another');
    });
    whenRunning();
    await ended;
    await connection.close();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
