import type { PolicySettings } from '../domain/policy-settings.ts';
import type { ChunkInFlight } from '../domain/user-move.ts';

export type FollowUp = 'wait' | 'retry' | 'force';

/**
 * What becomes of a move that was sent and has not ended: stuck after USER_MOVE_STUCK_SECS; tried again
 * USER_MOVE_MAX_RETRIES times; then forced.
 * Source: controller documentation, `check_user_moves` ("retries or escalates to a force-move"); the
 * numbers are ours.
 */
export function followUpMove(
  chunk: ChunkInFlight,
  settings: PolicySettings,
  nowMs: number,
): FollowUp {
  // Planned and not sent yet: its mover will.
  if (chunk.attempts === 0) return 'wait';
  const ageSecs = (nowMs - chunk.sentAtMs) / 1000;
  if (ageSecs < settings.userMoveStuckSecs) return 'wait';
  return chunk.attempts > settings.userMoveMaxRetries ? 'force' : 'retry';
}
