/** The only proxyActivities and proxyLocalActivities calls, grouped by kind of I/O. */
import { patched, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

/** Within less than a period; the next run starts afresh. */
const FEW_ATTEMPTS = {
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '25s',
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 2,
    maximumInterval: '5s',
    maximumAttempts: 3,
  },
} as const;

/** Reads and records of a scheduled task. A run that cannot read the world gives up. */
export const taskActivities = proxyActivities<Activities>(FEW_ATTEMPTS);

/**
 * A retry is a timer of the workflow, however short: retried within one workflow task, all attempts would hold up
 * queries, the time in between would not be in the record of the run, and the third would be cut short by the
 * time that the first one had.
 */
const localActivities = proxyLocalActivities<Activities>({
  ...FEW_ATTEMPTS,
  localRetryThreshold: '1ms',
});

/**
 * What is done so often that Temporal's share of it counts: reads of the 5-second tasks, and the record of
 * every run. Within the workflow task that asks for it, since an activity of its own is another workflow
 * task too (ADR 25). A killed worker's successor does it again. They have no heartbeat.
 */
export const frequentActivities = (): Pick<
  Activities,
  'cacheLatestMetrics' | 'readMoves' | 'recordTaskRun'
> => (patched('frequent-activities-are-local') ? localActivities : taskActivities);

/** Acts of a task that must not be lost once they are decided: asked again for as long as a period lasts. */
export const actActivities = proxyActivities<Activities>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '55s',
  retry: { initialInterval: '300ms', backoffCoefficient: 2, maximumInterval: '5s' },
});

/**
 * Steps of a mover: tried for as long as it takes, since a started move must end. The short heartbeat
 * finds the work of a killed worker within 2 s; it also fires on healthy work of an overloaded machine,
 * so every step is idempotent.
 */
export const moverActivities = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  heartbeatTimeout: '2s',
  retry: { initialInterval: '200ms', backoffCoefficient: 1.5, maximumInterval: '2s' },
});

/** Seldom and short writes of a mover, without a heartbeat. */
export const moverRecords = proxyActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { initialInterval: '200ms', backoffCoefficient: 1.5, maximumInterval: '2s' },
});
