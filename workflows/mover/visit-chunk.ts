import type { OpenChunk } from '../contract.ts';
import { addMoved } from './book.ts';
import { atSpeed, sendChunk } from './lanes.ts';
import { stateOf, type Mover } from './mover.ts';

/** Between two looks at what is on its way. */
export const SETTLE_INTERVAL_MS = 1_000;

export async function visitChunk(
  mover: Mover,
  chunk: OpenChunk,
  mode: 'send' | 'force' | 'check' | 'cancel',
): Promise<void> {
  const limits = atSpeed(mover.limits, mover.inbox.speedPercent);
  const moved = await sendChunk(stateOf(mover), chunk, mode, limits);
  mover.state = addMoved(stateOf(mover), moved, Date.now());
}
