/** Room at a target, where several movers send to it at the same time. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ControllerStore } from '../gateways/controller-store/controller-store.ts';
import type { ChunkInFlight } from '../workflows/domain/user-move.ts';

/** What takes longer than a command may take is stuck: it waits, and is no work for its target. */
const SENDING_MS = 10_000;
const TRIES = 4;
const LONGEST_PAUSE_MS = 150;

/** A chunk that is about to be sent for the first time. */
export type Claim = Omit<ChunkInFlight, 'attempts' | 'sentAtMs'>;

/** What the mover that sends it knows. */
export interface Room {
  /** Users on their way to one target, by all movers. */
  readonly maxInflow: number;
  /** Of these, by this mover: exact, since nobody else moves users off its source. */
  readonly ownInflow: number;
}

type Notes = Pick<ControllerStore, 'saveChunkInFlight' | 'readChunksOfOthers'>;

/**
 * At most MAX_PARALLEL_INFLOW users on their way to one target, by all movers. Each mover counts with
 * what it knew of the others when it looked last; here it says what it is about to send, and only then
 * looks at the others. Of two who do that at once at least one sees the other. Whoever sees too many
 * takes its word back and tries again after a moment of random length.
 *
 * @returns false where others leave no room: the chunk is noted as planned again, and not to be sent.
 * A single chunk always has room.
 */
export async function claimRoom(
  notes: Notes,
  claim: Claim,
  { maxInflow, ownInflow }: Room,
): Promise<boolean> {
  for (let left = TRIES; left > 0; left -= 1) {
    const sentAtMs = Date.now();
    await notes.saveChunkInFlight({ ...claim, attempts: 0, sentAtMs });
    const others = await notes.readChunksOfOthers(claim.siteName, claim.sourceId);
    const there = others
      .filter((note) => note.targetId === claim.targetId && isUnderWay(note))
      .reduce((sum, { remaining }) => sum + remaining, ownInflow);
    if (there === 0 || there + claim.remaining <= maxInflow) return true;
    await notes.saveChunkInFlight({ ...claim, attempts: 0, sentAtMs: 0 });
    if (left > 1) await pause(Math.random() * LONGEST_PAUSE_MS);
  }
  return false;
}

/** Being sent, or about to be. */
const isUnderWay = ({ sentAtMs }: ChunkInFlight): boolean => sentAtMs > Date.now() - SENDING_MS;

/** Users whom the movers of other sources are sending right now, by target. */
export function inflowOfOthers(
  chunks: readonly ChunkInFlight[],
  sourceId: string,
): Record<string, number> {
  const inflow: Record<string, number> = {};
  for (const chunk of chunks) {
    if (chunk.attempts === 0 || !isUnderWay(chunk) || chunk.sourceId === sourceId) continue;
    inflow[chunk.targetId] = (inflow[chunk.targetId] ?? 0) + chunk.remaining;
  }
  return inflow;
}
