import { existsSync } from 'node:fs';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityContext } from '../activities/context.ts';
import { DATA_CONVERTER } from '../platform/payload-codec.ts';
import { taskQueueOf } from '../workflows/contract.ts';
import { buildBundle } from './build-bundle.ts';

const MAX_ACTIVITIES = 50;
const MAX_WORKFLOW_TASKS = 20;

/**
 * A worker of one site. The short sticky time and heartbeat throttle are what lets work go on within 4 s
 * of another worker's kill -9 (`workflowTaskTimeout` of the workflows is the third part of it).
 */
export async function createWorker(
  context: ActivityContext,
  connection: NativeConnection,
): Promise<Worker> {
  const { temporal, site, workflowBundle } = context.config;
  const isBuilt = workflowBundle !== null && existsSync(workflowBundle);
  return Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: taskQueueOf(site),
    workflowBundle: isBuilt ? { codePath: workflowBundle } : { code: await buildBundle() },
    activities: createActivities(context),
    dataConverter: DATA_CONVERTER,
    maxConcurrentActivityTaskExecutions: MAX_ACTIVITIES,
    maxConcurrentWorkflowTaskExecutions: MAX_WORKFLOW_TASKS,
    stickyQueueScheduleToStartTimeout: '500ms',
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '5s',
    shutdownForceTime: '10s',
  });
}
