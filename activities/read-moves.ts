/** What `check_user_moves` looks at: moves that were sent and have not ended, ours and others'. */
import type { ChunkInFlight } from '../workflows/domain/user-move.ts';
import type { MovesSnapshot } from '../workflows/domain/cluster-snapshot.ts';
import { isEnded } from '../workflows/domain/operation.ts';
import type { ActivityContext } from './context.ts';
import { assertOwnsSite, readClaim, type DecidedUnder } from './site-owner.ts';

export interface ReadMovesActivities {
  readMoves(): Promise<MovesSnapshot>;
  removeForgotten(input: { chunks: readonly ChunkInFlight[] } & DecidedUnder): Promise<void>;
}

export function createReadMoves(context: ActivityContext): ReadMovesActivities {
  const { store, temporal, config } = context;
  return {
    async readMoves() {
      const takenAtMs = Date.now();
      // In this order: whoever has noted a chunk by now has its operation in the list.
      const [chunks, claim] = await Promise.all([
        store.readChunksInFlight(config.site),
        readClaim(context),
      ]);
      const operations = await store.listOpenOperations(config.site);
      const open = operations
        .filter((operation) => !isEnded(operation.state))
        .map(async (operation) => ({
          operation,
          isMoverRunning: await temporal.isMoverRunning(config.site, operation.sourceHost),
          chunks: chunks.filter((chunk) => chunk.operationId === operation.operationId),
        }));
      const { isOurs: isOwner, epoch } = claim;
      const settings = config.policy;
      const moves = { takenAtMs, isOwner, epoch, settings, open: await Promise.all(open) };
      // A worker that froze in the midst of a chunk notes it when it thaws, however long ago all was over.
      const ids = new Set(operations.map(({ operationId }) => operationId));
      const forgotten = chunks.filter(({ operationId }) => !ids.has(operationId));
      return forgotten.length === 0 ? moves : { ...moves, forgotten };
    },
    async removeForgotten({ chunks, epoch }) {
      await assertOwnsSite(context, { epoch });
      for (const { siteName, sourceId, operationId, chunk } of chunks) {
        await store.removeChunkInFlight(siteName, sourceId, operationId, chunk);
        context.logger.info({ operationId, chunk }, 'note of a chunk on its way removed');
      }
    },
  };
}
