import { describe, expect, it } from 'vitest';
import {
  decideForeignMoves,
  type ForeignMoves,
  type ForeignMoveSituation,
} from '../../workflows/policy/decide-foreign-moves.ts';
import { NOW_MS } from '../support/cluster-builders.ts';
import { labSettings } from '../support/lab-settings.ts';

const settings = { ...labSettings(), userMoveStuckSecs: 60, foreignMoveStuckSecs: 900 };
const calm: ForeignMoveSituation = { automation: 'running', isBlind: false, isCatastrophe: false };

/** Moves off mail1 of which the oldest was first seen so many seconds ago. */
function seen(ageSecs: number, fields: Partial<ForeignMoves> = {}): ForeignMoves {
  return {
    sourceId: 'id-mail1',
    sourceHost: 'mail1',
    users: 3,
    oldestSeenAtMs: NOW_MS - ageSecs * 1000,
    isSourceSilent: false,
    feature: 'enabled',
    hasOpenOperation: false,
    operatorHoldUntilMs: null,
    ...fields,
  };
}

const decide = (moves: ForeignMoves, situation: ForeignMoveSituation = calm) =>
  decideForeignMoves(moves, situation, settings, NOW_MS);

describe('decideForeignMoves', () => {
  it('leaves them alone for FOREIGN_MOVE_STUCK_SECS while their source answers', () => {
    expect(decide(seen(899))).toEqual({ kind: 'wait', reason: 'MovesOnTime' });
    expect(decide(seen(900))).toEqual({
      kind: 'finish',
      reason: 'MoveStuck',
      seenBeforeMs: NOW_MS - 900_000,
    });
  });

  it('finishes them after USER_MOVE_STUCK_SECS where their source is silent, and no earlier', () => {
    expect(decide(seen(59, { isSourceSilent: true }))).toMatchObject({ reason: 'MovesOnTime' });
    expect(decide(seen(60, { isSourceSilent: true }))).toEqual({
      kind: 'finish',
      reason: 'SourceSilent',
      seenBeforeMs: NOW_MS - 60_000,
    });
  });

  it('is no more patient with a silent source than with one that answers', () => {
    const swift = { ...settings, foreignMoveStuckSecs: 10 };
    const answer = decideForeignMoves(seen(10, { isSourceSilent: true }), calm, swift, NOW_MS);
    expect(answer).toMatchObject({ kind: 'finish', reason: 'SourceSilent' });
  });

  it.each(['disabled', 'dryRun'] as const)('never finishes them under %s', (feature) => {
    for (const isSourceSilent of [false, true]) {
      const answer = decide(seen(5_000, { feature, isSourceSilent }));
      expect(answer).toEqual({ kind: 'wait', reason: 'FeatureDisabled' });
    }
  });

  it('waits where an operation of ours empties the same source', () => {
    const answer = decide(seen(5_000, { hasOpenOperation: true }));
    expect(answer).toEqual({ kind: 'wait', reason: 'OperationRunning' });
  });

  it("heeds an operator's hold until it is over", () => {
    const held = seen(5_000, { operatorHoldUntilMs: NOW_MS + 1 });
    expect(decide(held)).toEqual({ kind: 'wait', reason: 'OperatorHold' });
    expect(decide({ ...held, operatorHoldUntilMs: NOW_MS })).toMatchObject({ kind: 'finish' });
  });

  it.each([
    { change: { automation: 'paused' as const }, reason: 'AutomationPaused' },
    { change: { isCatastrophe: true }, reason: 'CatastropheProtection' },
    { change: { isBlind: true }, reason: 'Blind' },
  ])('waits like all automation: $reason', ({ change, reason }) => {
    expect(decide(seen(5_000), { ...calm, ...change })).toEqual({ kind: 'wait', reason });
  });
});
