/** Temporal as a client: movers by update-with-start and signals, tasks by schedule or signal. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { Config } from '../../platform/config.ts';
import { memoize } from '../../platform/memoize.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { createTemporalClient } from '../../platform/temporal.ts';
import type { TemporalClient } from '../../platform/temporal.ts';
import {
  cancelSignal,
  endEarlySignal,
  followUpSignal,
  MOVER_WORKFLOW,
  moverIdOf,
  pauseSignal,
  requestMoves,
  resumeSignal,
  retargetSignal,
  SEARCH_ATTRIBUTES,
  setSpeedSignal,
  taskQueueOf,
} from '../../workflows/contract.ts';
import type { MoveAnswer, MoveRequest, MoverInput } from '../../workflows/contract.ts';
import { createMeasured } from '../measured.ts';
import { taskMethods } from './tasks.ts';
import type { Temporal } from './temporal.ts';
import { toTemporalError, unlessNotFound } from './temporal-errors.ts';

/** A mover that is not started yet needs a worker to answer. */
const UPDATE_TIMEOUT_MS = 10_000;
export const QUICK_TIMEOUT_MS = 3000;
/**
 * Work goes on within seconds of a kill -9 of the worker. The first task of a worker that has just started
 * takes up to 2 s on a busy machine; where it is given up, Temporal waits ever longer before the next one.
 */
const WORKFLOW_TASK_TIMEOUT = '3s';
/** An address leads to another installation at most once in a long while; whose the site is is read each time. */
const OWNER_NAME_AGE_MS = 10_000;

export interface ClosableTemporal extends Temporal {
  close(): Promise<void>;
}

/** Runs `work` with a deadline; whatever fails becomes a GatewayError about `subject`. */
export type TemporalCall = <T>(
  operation: string,
  subject: string,
  work: (client: Client) => Promise<T>,
  timeoutMs?: number,
) => Promise<T>;

/** @param now milliseconds of a clock that nobody sets. */
export function createTemporal(
  config: Config['temporal'],
  metrics: Metrics,
  now: () => number = () => performance.now(),
): ClosableTemporal {
  const temporal = createTemporalClient(config);
  const call = createCall(temporal, metrics);
  const askName = (): Promise<string> =>
    call('readOwnerName', 'cluster', async ({ workflowService }) => {
      const { clusterId } = await workflowService.getClusterInfo({});
      return `${clusterId}/${config.namespace}`;
    });
  const rememberedName = memoize(askName, OWNER_NAME_AGE_MS, now);
  return {
    ...moverMethods(call),
    ...taskMethods(call),
    readOwnerName: ({ isAskedNow = false } = {}) => (isAskedNow ? askName() : rememberedName()),
    ping: async () => {
      await call('ping', 'cluster', ({ workflowService }) => workflowService.getSystemInfo({}));
    },
    close: () => temporal.close(),
  };
}

function createCall({ client, connection }: TemporalClient, metrics: Metrics): TemporalCall {
  return (operation, subject, work, timeoutMs = QUICK_TIMEOUT_MS) => {
    const measured = createMeasured('temporal', metrics, (error) =>
      toTemporalError(error, operation, subject),
    );
    return measured(operation, () =>
      connection.withDeadline(Date.now() + timeoutMs, () => work(client)),
    );
  };
}

type MoverMethods = Pick<
  Temporal,
  'requestMoves' | 'isMoverRunning' | 'control' | 'setSpeed' | 'retarget' | 'followUp'
>;

const CONTROL_SIGNALS = {
  pause: pauseSignal,
  resume: resumeSignal,
  cancel: cancelSignal,
  endEarly: endEarlySignal,
} as const;

function moverMethods(call: TemporalCall): MoverMethods {
  /** False: nobody is there to hear it. */
  const tell = (
    operation: string,
    moverId: string,
    send: (client: Client) => Promise<void>,
  ): Promise<boolean> =>
    call(operation, moverId, (client) =>
      unlessNotFound(
        send(client).then(() => true),
        false,
      ),
    );

  return {
    requestMoves: (request) => {
      const moverId = moverIdOf(request.siteName, request.sourceHost);
      return call(
        'requestMoves',
        moverId,
        (client) => updateWithStart(client, moverId, request),
        UPDATE_TIMEOUT_MS,
      );
    },
    isMoverRunning: (siteName, sourceHost) => {
      const moverId = moverIdOf(siteName, sourceHost);
      return call('isMoverRunning', moverId, ({ workflow }) =>
        unlessNotFound(
          workflow
            .getHandle(moverId)
            .describe()
            .then(({ status }) => status.name === 'RUNNING'),
          false,
        ),
      );
    },
    control: (siteName, sourceHost, verb, message) => {
      const moverId = moverIdOf(siteName, sourceHost);
      return tell(verb, moverId, ({ workflow }) =>
        workflow.getHandle(moverId).signal(CONTROL_SIGNALS[verb], message),
      );
    },
    setSpeed: (siteName, sourceHost, message) => {
      const moverId = moverIdOf(siteName, sourceHost);
      return tell('setSpeed', moverId, ({ workflow }) =>
        workflow.getHandle(moverId).signal(setSpeedSignal, message),
      );
    },
    retarget: (siteName, sourceHost, message) => {
      const moverId = moverIdOf(siteName, sourceHost);
      return tell('retarget', moverId, ({ workflow }) =>
        workflow.getHandle(moverId).signal(retargetSignal, message),
      );
    },
    followUp: (siteName, sourceHost, message) => {
      const moverId = moverIdOf(siteName, sourceHost);
      return tell('followUp', moverId, ({ workflow }) =>
        workflow.getHandle(moverId).signal(followUpSignal, message),
      );
    },
  };
}

/** The id of the operation is the id of the update: a repeated request gets the same answer. */
async function updateWithStart(
  client: Client,
  moverId: string,
  request: MoveRequest,
): Promise<MoveAnswer> {
  const { siteName, sourceId, sourceHost, operationId } = request;
  const input: MoverInput = { siteName, sourceId, sourceHost };
  const startWorkflowOperation = new WithStartWorkflowOperation(MOVER_WORKFLOW, {
    workflowId: moverId,
    taskQueue: taskQueueOf(siteName),
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: SEARCH_ATTRIBUTES.site, value: siteName },
      { key: SEARCH_ATTRIBUTES.backend, value: sourceHost },
    ]),
  });
  return client.workflow.executeUpdateWithStart(requestMoves, {
    updateId: operationId,
    args: [request],
    startWorkflowOperation,
  });
}
