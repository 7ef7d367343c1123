import { describe, expect, it } from 'vitest';
import { newDecision } from '../../workflows/domain/decision.ts';
import type { ForeignMoves, ForeignMoveSituation } from '../../workflows/domain/foreign-moves.ts';
import { decideForeign, decideForeignMoves } from '../../workflows/policy/decide-foreign-moves.ts';
import { replayDecision } from '../../workflows/policy/replay-decision.ts';
import { aSnapshot, NOW_MS } from '../support/cluster-builders.ts';
import { labSettings } from '../support/lab-settings.ts';
import { aRow } from '../support/move-builders.ts';

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

describe('the decisions about moves that others began', () => {
  const answers = (situation: ForeignMoveSituation, ...moves: readonly ForeignMoves[]) =>
    decideForeign({ takenAtMs: NOW_MS, situation, moves }, settings);

  it('say what is done, on which Backend, and by which setting', () => {
    const silent = seen(61, { sourceHost: 'mail2', sourceId: 'id-mail2', isSourceSilent: true });
    expect(answers(calm, seen(901), silent)).toEqual([
      newDecision('check_user_moves', 'finishMoves', 'MoveStuck', {
        hosts: ['mail1'],
        backendId: 'id-mail1',
        numbers: { users: 3, oldestSecs: 901 },
        limitingSetting: 'FOREIGN_MOVE_STUCK_SECS',
      }),
      newDecision('check_user_moves', 'finishMoves', 'SourceSilent', {
        hosts: ['mail2'],
        backendId: 'id-mail2',
        numbers: { users: 3, oldestSecs: 61 },
        limitingSetting: 'USER_MOVE_STUCK_SECS',
      }),
    ]);
  });

  it('say nothing of moves that have time left', () => {
    expect(answers(calm, seen(899))).toEqual([]);
  });

  it('say why moves are left alone although they are stuck', () => {
    expect(answers({ ...calm, automation: 'paused' }, seen(900))).toMatchObject([
      { kind: 'nothing', reason: 'AutomationPaused', isDryRun: false },
    ]);
    expect(answers(calm, seen(900, { feature: 'disabled' }))).toMatchObject([
      { kind: 'nothing', reason: 'FeatureDisabled' },
    ]);
  });

  it('say under DryRun what would be done, and what else would be in the way', () => {
    const dry = seen(900, { feature: 'dryRun' });
    expect(answers(calm, dry)).toMatchObject([
      { kind: 'finishMoves', reason: 'MoveStuck', isDryRun: true },
    ]);
    expect(answers({ ...calm, isBlind: true }, dry)).toMatchObject([
      { kind: 'nothing', reason: 'Blind', isDryRun: false },
    ]);
  });

  it('come out the same from the snapshot that they were made from', () => {
    const foreign = { takenAtMs: NOW_MS, situation: calm, moves: [seen(901)] };
    const open = [{ operation: aRow({ updatedAtMs: 0 }), isMoverRunning: false, chunks: [] }];
    const moves = { takenAtMs: NOW_MS, isOwner: true, epoch: 1, settings, open, foreign };
    const [decision] = decideForeign(foreign, settings);
    if (decision === undefined) throw new Error('no decision');
    expect(replayDecision(decision, { ...aSnapshot(), moves }).outcome).toBe('identical');
  });
});
