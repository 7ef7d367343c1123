/** Reads that only look, and the removal of rows that belong to nothing. */
import type { Reference, ReferenceReading } from '../workflows/domain/references.ts';
import type { ActivityContext } from './context.ts';
import { readHomeSite } from './read-cluster.ts';
import { assertOwnsSite, type DecidedUnder } from './site-owner.ts';

export interface ReferencesRead extends ReferenceReading {
  readonly snapshotId: string;
}

export interface CleanUpActivities {
  /** What the proxies measured from this site to others: counts for the task's outcome. */
  readSiteReachability(): Promise<Record<string, number>>;
  /** Stored beside the facts of the given snapshot: the id of both, for the decision. */
  readReferences(input: { snapshotId: string }): Promise<ReferencesRead>;
  deleteRows(input: { rows: readonly Reference[] } & DecidedUnder): Promise<void>;
}

export function createCleanUp(context: ActivityContext): CleanUpActivities {
  return {
    async readSiteReachability() {
      const site = await readHomeSite(context);
      const rows = await context.geodb.readSiteReachability();
      const ours = rows.filter((row) => row.sourceSiteId === site.id);
      const reachable = ours.filter((row) => row.isReachable).length;
      return { reachable, unreachable: ours.length - reachable };
    },
    async readReferences({ snapshotId }) {
      const references = await readReferences(context);
      const snapshot = await context.store.readSnapshot(snapshotId);
      if (snapshot === null) return { ...references, snapshotId };
      const whole = { ...snapshot, references };
      const wholeId = await context.store.saveSnapshot(whole, { keep: false });
      return { ...references, snapshotId: wholeId };
    },
    async deleteRows({ rows, epoch }) {
      await assertOwnsSite(context, { epoch });
      await deleteRows(context, rows);
    },
  };
}

async function readReferences(context: ActivityContext): Promise<ReferenceReading> {
  const siteName = context.config.site;
  const [sites, backends, references, memories, users] = await Promise.all([
    context.geodb.readSites(),
    context.geodb.readBackends(),
    context.geodb.readReferences(),
    context.store.readBackendMemories(siteName),
    context.geodb.countAllUsers({ isHurried: false }),
  ]);
  const remembered = memories.map(({ backendId }): Reference => ({
    table: 'backend_memory',
    scope: siteName,
    target: backendId,
  }));
  return {
    siteIds: sites.map((site) => site.id),
    backendIds: backends.map((backend) => backend.id),
    references: [...references, ...remembered],
    usersByBackend: Object.fromEntries(users),
  };
}

async function deleteRows(context: ActivityContext, rows: readonly Reference[]): Promise<void> {
  for (const row of rows) {
    if (row.table === 'backend_memory') {
      await context.store.removeBackendMemory(row.scope, row.target);
    } else await context.geodb.removeReference(row);
    context.logger.info({ table: row.table, target: row.target }, 'orphaned row removed');
  }
}
