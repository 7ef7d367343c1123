import { ApplicationFailure } from '@temporalio/common';
import type { ActivityContext } from './context.ts';
import { NOT_THE_OWNER } from './to-failure.ts';

/**
 * Whether this Temporal installation owns the site (`site_controller`): across separate installations
 * only one may act. A site that nobody owns is claimed here, once.
 */
export async function ownsSite(context: ActivityContext): Promise<boolean> {
  const siteName = context.config.site;
  const ownerName = await context.temporal.readOwnerName();
  const row =
    (await context.geodb.readOwner(siteName)) ??
    (await context.geodb.claimIfFree(siteName, ownerName));
  return row.owner === ownerName;
}

/** Throws a failure that no retry helps where the site belongs to another installation. */
export async function assertOwnsSite(context: ActivityContext): Promise<void> {
  if (await ownsSite(context)) return;
  throw ApplicationFailure.create({
    message: `the site ${context.config.site} belongs to another Temporal installation`,
    type: NOT_THE_OWNER,
    nonRetryable: true,
  });
}
