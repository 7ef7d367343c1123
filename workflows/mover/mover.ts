import { patched } from '@temporalio/workflow';
import type { MoverInbox, MoverState } from '../contract.ts';
import { assert } from '../domain/assert.ts';
import type { LaneLimits } from './lanes.ts';

/** A running mover: its books, what was asked of it, and how it tells the world. */
export interface Mover {
  /** Null: between operations. */
  state: MoverState | null;
  readonly inbox: MoverInbox;
  /** As last read, before each round. */
  limits: LaneLimits;
  /** Users whom other movers were sending when it looked last, by target. */
  inflowOfOthers: Readonly<Record<string, number>>;
  /** When it last looked at its targets and at what it may do; 0: not yet, or long ago. */
  lookedAtMs: number;
  /** The row is behind the state: it is written beside the next step that plans or sends, or by the next save. */
  isUnsaved: boolean;
  /** True: send no further chunk. */
  isHeld(): boolean;
  /** Writes the operation's row: at once when urgent, else at most once a second. */
  save(options: { readonly isUrgent: boolean }): Promise<void>;
}

/** The claim that it acts under: its activities refuse under another one. */
export const epochOf = ({ request }: MoverState): number | null => request.epoch ?? null;

export function stateOf(mover: Mover): MoverState {
  assert(mover.state !== null, 'a step belongs to an operation');
  return mover.state;
}

/**
 * What does not depend on each other is done side by side: each step by itself costs a round trip by way of Temporal,
 * and clients of a failing Backend are waiting.
 */
export const startsSideBySide = (): boolean => patched('starts-side-by-side');

/** The row is written while the next step is under way. */
export async function saveSoon(mover: Mover): Promise<void> {
  if (startsSideBySide()) mover.isUnsaved = true;
  else await mover.save({ isUrgent: true });
}
