import { newDecision, type Decision } from '../domain/decision.ts';
import type {
  ForeignMoves,
  ForeignMoveSituation,
  ForeignMovesView,
} from '../domain/foreign-moves.ts';
import type { PolicySettings } from '../domain/policy-settings.ts';

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

/**
 * The same as decisions, to be recorded before anything is done, also why somebody's moves are left alone
 * although they are stuck. Moves that have time left are no decision.
 */
export function decideForeign(
  { moves, situation, takenAtMs }: ForeignMovesView,
  settings: PolicySettings,
): Decision[] {
  return moves.flatMap((each) => {
    const answer = decideForeignMoves(each, situation, settings, takenAtMs);
    if (answer.kind === 'wait' && answer.reason === 'MovesOnTime') return [];
    // DryRun says what would be done.
    const isDryRun = each.feature === 'dryRun';
    const enabled = isDryRun ? { ...each, feature: 'enabled' as const } : each;
    const wish = decideForeignMoves(enabled, situation, settings, takenAtMs);
    const kind = wish.kind === 'finish' ? 'finishMoves' : 'nothing';
    return [
      newDecision('check_user_moves', kind, wish.reason, {
        hosts: [each.sourceHost],
        backendId: each.sourceId,
        isDryRun: isDryRun && kind === 'finishMoves',
        numbers: {
          users: each.users,
          oldestSecs: Math.floor((takenAtMs - each.oldestSeenAtMs) / 1000),
        },
        limitingSetting: each.isSourceSilent ? 'USER_MOVE_STUCK_SECS' : 'FOREIGN_MOVE_STUCK_SECS',
      }),
    ];
  });
}
