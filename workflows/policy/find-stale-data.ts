import { newDecision, type Decision } from '../domain/decision.ts';
import { GLOBAL_TARGET } from '../domain/feature-flag.ts';
import type { Reference, ReferenceReading } from '../domain/references.ts';

export interface StaleData {
  readonly rows: readonly Reference[];
  /** Users who point to a Backend that does not exist: reported, never deleted. */
  readonly strandedUsers: number;
}

/** What points to a site or a Backend that is no longer in the GeoDB. An empty GeoDB proves nothing. */
export function findStaleData(reading: ReferenceReading): StaleData {
  const isEmpty = reading.siteIds.length === 0 || reading.backendIds.length === 0;
  const known = new Set([...reading.siteIds, ...reading.backendIds, GLOBAL_TARGET]);
  const rows = isEmpty
    ? []
    : reading.references.filter(({ target }) => target.split('/').some((id) => !known.has(id)));
  let strandedUsers = 0;
  for (const [backendId, users] of Object.entries(reading.usersByBackend)) {
    if (!known.has(backendId)) strandedUsers += users;
  }
  return { rows, strandedUsers };
}

export function decideStaleData(stale: StaleData, isOwner: boolean): Decision {
  const { rows, strandedUsers } = stale;
  const fields = { numbers: { rows: rows.length, strandedUsers } };
  if (!isOwner) return newDecision('delete_stale_data', 'nothing', 'NotTheOwner', fields);
  if (rows.length === 0) return newDecision('delete_stale_data', 'nothing', 'NothingStale', fields);
  return newDecision('delete_stale_data', 'deleteRows', 'Orphaned', fields);
}
