/** A real Temporal server for tests, with a worker on a task queue of its own. */
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import { DATA_CONVERTER } from '../../platform/payload-codec.ts';
import { buildBundle } from '../../worker/build-bundle.ts';
import { testNet } from './test-net.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});

export interface TemporalRig {
  readonly client: Client;
  readonly taskQueue: string;
  startWorker(activities: Partial<Activities>): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export async function openTemporalRig(): Promise<TemporalRig> {
  const address = `127.0.0.1:${21_000 + Number(testNet())}`;
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const workflowBundle = { code: await buildBundle() };
  const taskQueue = `test/${crypto.randomUUID()}`;
  return {
    client: new Client({ connection, dataConverter: DATA_CONVERTER }),
    taskQueue,
    async startWorker(activities) {
      const worker = await Worker.create({
        connection: native,
        taskQueue,
        workflowBundle,
        activities,
        dataConverter: DATA_CONVERTER,
        stickyQueueScheduleToStartTimeout: '1s',
        shutdownGraceTime: '100ms',
        shutdownForceTime: '1s',
      });
      const ended = worker.run();
      return async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await ended;
      };
    },
    async close() {
      await connection.close();
      await native.close();
    },
  };
}
