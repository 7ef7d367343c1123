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
