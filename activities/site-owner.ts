import { ApplicationFailure } from '@temporalio/common';
import type { ActivityContext } from './context.ts';
import { NOT_THE_OWNER } from './to-failure.ts';

/**
 * The claim of a site, as it is now. Each claim raises the epoch: what was decided or begun under an older
 * one is over, also where the same owner claimed the site again, because another may have acted between.
 */
export interface SiteClaim {
  readonly isOurs: boolean;
  readonly owner: string;
  readonly epoch: number;
}

/** The epoch that an act was decided under; absent or null: not known, then only the owner counts. */
export type DecidedUnder = { readonly epoch?: number | null | undefined };

/**
 * Whether this Temporal installation owns the site (`site_controller`): across separate installations
 * only one may act. A site that nobody owns is claimed here, once.
 */
export async function readClaim(context: ActivityContext): Promise<SiteClaim> {
  const siteName = context.config.site;
  const ownerName = await context.temporal.readOwnerName();
  const row = (await context.geodb.readOwner(siteName)) ?? (await claimFree(context));
  return { ...row, isOurs: row.owner === ownerName };
}

/** For good, so by the name of now. */
async function claimFree({ geodb, temporal, config }: ActivityContext) {
  return geodb.claimIfFree(config.site, await temporal.readOwnerName({ isAskedNow: true }));
}

export function isUnder(claim: SiteClaim, { epoch }: DecidedUnder): boolean {
  return claim.isOurs && (epoch == null || epoch === claim.epoch);
}

/**
 * Throws a failure that no retry helps where the site belongs to another installation, or was claimed
 * anew since this was decided.
 */
export async function assertOwnsSite(
  context: ActivityContext,
  decided: DecidedUnder = {},
): Promise<SiteClaim> {
  const claim = await readClaim(context);
  if (isUnder(claim, decided)) return claim;
  const site = `the site ${context.config.site}`;
  throw ApplicationFailure.create({
    message: claim.isOurs
      ? `${site} was claimed anew since: epoch ${claim.epoch}, not ${decided.epoch}`
      : `${site} belongs to another Temporal installation`,
    type: NOT_THE_OWNER,
    nonRetryable: true,
  });
}
