/** Moves that somebody else began, as `check_user_moves` sees them. */
import type { AutomationState } from './cluster-snapshot.ts';
import type { FeatureState } from './feature-flag.ts';
import type { ForeignMoveCount } from './user-move.ts';

/** Moves off one source that no operation of ours began, and what is known of that source. */
export interface ForeignMoves extends ForeignMoveCount {
  readonly sourceHost: string;
  readonly isSourceSilent: boolean;
  /** BackendHealthAutoHandling, effective at the source. */
  readonly feature: FeatureState;
  readonly hasOpenOperation: boolean;
  readonly operatorHoldUntilMs: number | null;
}

/** What holds for the whole site. */
export interface ForeignMoveSituation {
  readonly automation: AutomationState;
  readonly isBlind: boolean;
  readonly isCatastrophe: boolean;
}

/** All that is decided from. */
export interface ForeignMovesView {
  readonly takenAtMs: number;
  readonly situation: ForeignMoveSituation;
  readonly moves: readonly ForeignMoves[];
}
