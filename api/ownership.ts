/** Whether this controller owns its site; one that does not stays passive. */
import type { Dependencies } from './dependencies.ts';
import { ApiError } from './errors.ts';
import { withTimeout } from '../platform/memoize.ts';

/** A Temporal that is silent must not make every answer wait: it has not become another one. */
const NAME_TIMEOUT_MS = 500;

export interface OwnershipView {
  /** null: Temporal does not answer, so unknown. */
  readonly isOwner: boolean | null;
  readonly owner: string | null;
  readonly epoch: number | null;
}

/** Rejects where Cassandra does not work. */
export type Ownership = () => Promise<OwnershipView>;

export function createOwnership({ geodb, temporal, config }: Dependencies): Ownership {
  let lastName: string | null = null;
  const readName = () =>
    withTimeout(temporal.readOwnerName(), NAME_TIMEOUT_MS, () => new Error('no answer in time'));
  return async () => {
    const [owner, name] = await Promise.all([
      geodb.readOwner(config.site),
      readName().catch(() => lastName),
    ]);
    lastName = name;
    const isOwner = owner === null || name === null ? null : owner.owner === name;
    return { isOwner, owner: owner?.owner ?? null, epoch: owner?.epoch ?? null };
  };
}

/**
 * A site that another controller owns is not touched; not knowing is left to the mover. Answers the
 * epoch that the change is asked for under; null: nobody has claimed the site. Throws ApiError NotTheOwner.
 */
export async function requireOwner({
  ownership,
  dependencies,
}: {
  readonly ownership: Ownership;
  readonly dependencies: Pick<Dependencies, 'config'>;
}): Promise<number | null> {
  const { isOwner, owner, epoch } = await ownership();
  if (isOwner === false) {
    const text = `site ${dependencies.config.site} is owned by ${owner ?? 'nobody'}`;
    throw new ApiError('NotTheOwner', `${text}: run site:claim to take it over`);
  }
  return epoch;
}
