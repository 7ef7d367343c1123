/** The only proxyActivities calls, grouped by kind of I/O. */
import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

/**
 * Reads and records of a scheduled task: few attempts within less than a period. A run that cannot
 * read the world gives up; the next one starts afresh.
 */
export const taskActivities = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '25s',
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 2,
    maximumInterval: '5s',
    maximumAttempts: 3,
  },
});

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
