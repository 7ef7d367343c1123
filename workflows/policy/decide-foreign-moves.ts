import type { AutomationState } from '../domain/cluster-snapshot.ts';
import type { FeatureState } from '../domain/feature-flag.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';
import type { ForeignMoveCount } from '../domain/user-move.ts';

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

export type ForeignMoveAnswer =
  | {
      readonly kind: 'wait';
      readonly reason:
        | 'MovesOnTime'
        | 'OperationRunning'
        | 'FeatureDisabled'
        | 'AutomationPaused'
        | 'OperatorHold'
        | 'CatastropheProtection'
        | 'Blind';
    }
  | {
      readonly kind: 'finish';
      readonly reason: 'SourceSilent' | 'MoveStuck';
      /** Moves that were seen later than this are given their time. */
      readonly seenBeforeMs: number;
    };

/**
 * What becomes of moves that somebody else began: they are his, so they are left alone until they were
 * seen for FOREIGN_MOVE_STUCK_SECS. A silent source cannot finish them, so there USER_MOVE_STUCK_SECS
 * are enough (a restart is no silence). Never under DryRun or Disabled, nor where automation has to wait;
 * an operation on the same source takes its users along by itself.
 * Source: controller documentation, `check_user_moves`; the numbers are ours.
 */
export function decideForeignMoves(
  moves: ForeignMoves,
  situation: ForeignMoveSituation,
  settings: PolicySettings,
  nowMs: number,
): ForeignMoveAnswer {
  const { userMoveStuckSecs, foreignMoveStuckSecs } = settings;
  const patienceSecs = moves.isSourceSilent
    ? Math.min(userMoveStuckSecs, foreignMoveStuckSecs)
    : foreignMoveStuckSecs;
  const seenBeforeMs = nowMs - patienceSecs * 1000;
  if (moves.oldestSeenAtMs > seenBeforeMs) return { kind: 'wait', reason: 'MovesOnTime' };
  if (moves.hasOpenOperation) return { kind: 'wait', reason: 'OperationRunning' };
  if (moves.feature !== 'enabled') return { kind: 'wait', reason: 'FeatureDisabled' };
  if (situation.automation === 'paused') return { kind: 'wait', reason: 'AutomationPaused' };
  if ((moves.operatorHoldUntilMs ?? 0) > nowMs) return { kind: 'wait', reason: 'OperatorHold' };
  if (situation.isCatastrophe) return { kind: 'wait', reason: 'CatastropheProtection' };
  if (situation.isBlind) return { kind: 'wait', reason: 'Blind' };
  const reason = moves.isSourceSilent ? 'SourceSilent' : 'MoveStuck';
  return { kind: 'finish', reason, seenBeforeMs };
}
