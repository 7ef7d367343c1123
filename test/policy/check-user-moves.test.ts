import { describe, expect, it } from 'vitest';
import { toRequest } from '../../workflows/check-user-moves.ts';
import { settings } from '../support/cluster-builders.ts';
import { aRow } from '../support/move-builders.ts';

describe('taking up an operation whose mover is gone', () => {
  it('goes on with an evacuation as a whole, in rounds', () => {
    expect(toRequest(aRow(), settings)).toMatchObject({
      operationId: 'operation-1',
      maxUsers: null,
      stepRatio: settings.evacuateStepRatio,
      endsOffline: true,
      isForced: false,
    });
  });

  it('asks for as many users as a partial move was to move: those moved count towards it', () => {
    const counts = { planned: 100, confirmed: 40, skipped: 0, failed: 0, remaining: 60 };
    const row = aRow({ kind: 'partialMove', cause: 'degraded', originalCount: 100, counts });
    expect(toRequest(row, settings)).toMatchObject({
      maxUsers: 100,
      stepRatio: 1,
      endsOffline: false,
    });
  });

  it.each([
    { kind: 'drain', cause: 'drain', endsOffline: false, maxUsers: null },
    { kind: 'evacuation', cause: 'operator', endsOffline: false, maxUsers: null },
    { kind: 'evacuation', cause: 'health', endsOffline: true, maxUsers: null },
    { kind: 'forceMove', cause: 'operator', endsOffline: false, maxUsers: 500 },
  ] as const)('$kind of $cause: ends offline $endsOffline', ({ kind, cause, ...expected }) => {
    expect(toRequest(aRow({ kind, cause }), settings)).toMatchObject(expected);
  });

  it('asks again for exactly what was asked, where the row knows it', () => {
    const order = {
      maxUsers: 30,
      stepRatio: 0.5,
      minLastMovedSecs: 300,
      endsOffline: false,
      isForced: true,
      selectionId: 'list-1',
    };
    expect(toRequest(aRow({ kind: 'batchMove', order }), settings)).toMatchObject(order);
  });

  it.each([
    { stateReason: 'ann: wait', isByAutomation: false },
    { stateReason: 'AutomationPaused', isByAutomation: true },
    { stateReason: 'CatastropheProtection', isByAutomation: true },
  ])('leaves it paused where it was paused: $stateReason', ({ stateReason, isByAutomation }) => {
    const row = aRow({ state: 'paused', stateReason, speedPercent: 20 });
    expect(toRequest(row, settings).takenUp).toEqual({
      createdAtMs: row.createdAtMs,
      startedAtMs: row.startedAtMs,
      originalCount: row.originalCount,
      speedPercent: 20,
      pause: { actor: 'check_user_moves', reason: stateReason, isByAutomation },
    });
    expect(toRequest(aRow(), settings).takenUp?.pause).toBeNull();
  });
});
