/**
 * A worker of movers that come to a halt right before or right after one of their side effects each
 * (DK_CRASH_POINTS: JSON, by workflow id), until somebody kills it with -9. A mover that has halted does
 * nothing more to the world. Side effects, halts and homes that it forces are written into DK_CRASH_LOG.
 */
import { Context } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createGateways } from '../../gateways/create-gateways.ts';
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createWorker } from '../../worker/create-worker.ts';
import {
  appendLine,
  nameOf,
  noteForcedHomes,
  watchSideEffects,
  type CrashPoint,
  type SideEffect,
} from './side-effects.ts';

const points = new Map(
  Object.entries(JSON.parse(process.env['DK_CRASH_POINTS'] ?? '{}') as Record<string, CrashPoint>),
);
const log = process.env['DK_CRASH_LOG'] ?? '';
const halted = new Set<string>();

const moverOf = (): string => Context.current().info.workflowExecution?.workflowId ?? '';

async function haltAt(mover: string, effect: SideEffect, when: CrashPoint['when']): Promise<void> {
  const point = points.get(mover);
  if (!halted.has(mover)) {
    if (when === 'before') appendLine(log, { effect: { mover, ...effect } });
    if (point?.when !== when || nameOf(point) !== nameOf(effect)) return;
    halted.add(mover);
    appendLine(log, { halted: mover });
  }
  await new Promise(() => undefined);
}

const config = readConfig(process.env);
const logger = createLogger({ level: 'silent', role: 'worker' });
const metrics = createMetrics({ isDefaultIncluded: false });
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});
const real = createGateways(config, logger, metrics);
const noted = noteForcedHomes(real, (change) => appendLine(log, { change }));
const gateways = watchSideEffects(noted, {
  actorOf: moverOf,
  before: (mover, effect) => haltAt(mover, effect, 'before'),
  after: (mover, effect) => haltAt(mover, effect, 'after'),
});
const connection = await NativeConnection.connect({ address: config.temporal.address });
const worker = await createWorker({ ...gateways, config, logger, metrics }, connection);
await worker.run();
