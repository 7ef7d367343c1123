/** Moves that somebody else began, as the API shows them: counts by source, never a name. */
import type { ForeignMoveScan } from '../workflows/domain/user-move.ts';
import type { Cluster } from './cluster-view.ts';
import type { ForeignMovesView } from './schemas/cluster.ts';

export function presentForeignMoves(
  cluster: Cluster,
  scan: ForeignMoveScan | null,
): ForeignMovesView {
  const sources = (scan?.sources ?? []).map(({ sourceId, users, oldestSeenAtMs }) => ({
    backendId: sourceId,
    host: cluster.hostOf(sourceId),
    users,
    oldestSeenAtMs,
  }));
  const oldest = sources.map(({ oldestSeenAtMs }) => oldestSeenAtMs);
  return {
    scannedAtMs: scan?.scannedAtMs ?? null,
    isPartial: scan?.isPartial ?? false,
    users: sources.reduce((sum, { users }) => sum + users, 0),
    oldestSeenAtMs: oldest.length === 0 ? null : Math.min(...oldest),
    sources,
  };
}
