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
});
