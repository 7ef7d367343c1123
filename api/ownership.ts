/** Whether this controller owns its site; one that does not stays passive. */
import type { Dependencies } from './dependencies.ts';
import { memoize } from './memoize.ts';

const OWN_NAME_AGE_MS = 60_000;

export interface OwnershipView {
  /** null: Temporal does not answer, so unknown. */
  readonly isOwner: boolean | null;
  readonly owner: string | null;
  readonly epoch: number | null;
}

/** Rejects where Cassandra does not work. */
export type Ownership = () => Promise<OwnershipView>;

export function createOwnership({ geodb, temporal, config, now }: Dependencies): Ownership {
  let lastName: string | null = null;
  const readName = memoize(() => temporal.readOwnerName(), OWN_NAME_AGE_MS, now);
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
