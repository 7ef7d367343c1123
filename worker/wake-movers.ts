/** What a worker does first: movers whose worker was killed are read anew while the rest of it starts. */
import type { Logger } from '../platform/logger.ts';
import type { TemporalClient } from '../platform/temporal.ts';
import { MOVER_WORKFLOW, SEARCH_ATTRIBUTES, wakeSignal } from '../workflows/contract.ts';

const DEADLINE_MS = 3_000;

/**
 * Tells each running mover of the site that there is a worker. Temporal goes on offering a workflow to the
 * worker that had it last, for half a second or more, and the next one has to replay it, another second: by
 * this message both happen while the lost activity still waits for its heartbeat timeout, not after it.
 * Never throws: without it movers go on too, only later.
 */
export async function wakeMovers(
  { client, connection }: Pick<TemporalClient, 'client' | 'connection'>,
  site: string,
  logger: Logger,
): Promise<void> {
  const query = [
    `WorkflowType = '${MOVER_WORKFLOW}'`,
    `ExecutionStatus = 'Running'`,
    `${SEARCH_ATTRIBUTES.site.name} = '${site}'`,
  ].join(' AND ');
  try {
    await connection.withDeadline(Date.now() + DEADLINE_MS, async () => {
      for await (const { workflowId } of client.workflow.list({ query })) {
        try {
          await client.workflow.getHandle(workflowId).signal(wakeSignal);
          logger.info({ workflowId }, 'woke a mover that may have lost its worker');
        } catch (error) {
          // The list is a moment behind: a mover that has just ended must not keep the others from it.
          logger.warn({ workflowId, error }, 'a mover was not woken');
        }
      }
    });
  } catch (error) {
    logger.warn({ error }, 'movers were not woken, they go on when Temporal notices');
  }
}
