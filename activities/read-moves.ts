/** What `check_user_moves` looks at: moves that were sent and have not ended, ours and others'. */
import type { MovesSnapshot } from '../workflows/domain/cluster-snapshot.ts';
import { isEnded } from '../workflows/domain/operation.ts';
import type { ActivityContext } from './context.ts';
import { readClaim } from './site-owner.ts';

export interface ReadMovesActivities {
  readMoves(): Promise<MovesSnapshot>;
}

export function createReadMoves(context: ActivityContext): ReadMovesActivities {
  const { store, temporal, config } = context;
  return {
    async readMoves() {
      const takenAtMs = Date.now();
      const [operations, chunks, claim] = await Promise.all([
        store.listOpenOperations(config.site),
        store.readChunksInFlight(config.site),
        readClaim(context),
      ]);
      const open = operations
        .filter((operation) => !isEnded(operation.state))
        .map(async (operation) => ({
          operation,
          isMoverRunning: await temporal.isMoverRunning(config.site, operation.sourceHost),
          chunks: chunks.filter((chunk) => chunk.operationId === operation.operationId),
        }));
      const { isOurs: isOwner, epoch } = claim;
      const settings = config.policy;
      return { takenAtMs, isOwner, epoch, settings, open: await Promise.all(open) };
    },
  };
}
