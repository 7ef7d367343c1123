import type { MoverInbox, MoverState } from '../contract.ts';
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
  /** True: send no further chunk. */
  isHeld(): boolean;
  /** Writes the operation's row: at once when urgent, else at most once a second. */
  save(options: { readonly isUrgent: boolean }): Promise<void>;
}
