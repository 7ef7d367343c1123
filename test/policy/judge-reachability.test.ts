import { describe, expect, it } from 'vitest';
import type { BackendReachability } from '../../workflows/domain/backend.ts';
import { judgeReachability } from '../../workflows/policy/judge-reachability.ts';

const GRACE_SECS = 10;

/** Judged one look after the other; each is the second and the failure that was seen. */
function judge(...looks: readonly (readonly [sec: number, failure: string | null])[]) {
  return looks.reduce<BackendReachability | null>(
    (former, [sec, failure]) =>
      judgeReachability(former, { backendId: 'id-mail1', failure, nowMs: sec * 1000 }, GRACE_SECS),
    null,
  );
}

describe('judgeReachability', () => {
  it('is marked by any error at once, and cleared by a single success', () => {
    for (const failure of ['Unreachable', 'Timeout', 'Unauthorized', 'BadAnswer']) {
      expect(judge([1, null], [2, failure])).toMatchObject({ isReachable: false, failure });
      expect(judge([1, failure])).toMatchObject({ isReachable: false });
    }
    expect(judge([1, 'Timeout'], [2, 'Timeout'], [3, null])).toEqual({
      backendId: 'id-mail1',
      isReachable: true,
      failure: null,
      sinceMs: 3000,
      nameFailingSinceMs: null,
      checkedAtMs: 3000,
    });
  });

  it('forgives a name that cannot be resolved for the grace, also at the first look', () => {
    const name = 'NameNotResolved';
    expect(judge([1, name])).toMatchObject({ isReachable: true, failure: name });
    expect(judge([0, null], [1, name], [10.9, name])).toMatchObject({ isReachable: true });
    expect(judge([0, null], [1, name], [11, name])).toMatchObject({
      isReachable: false,
      sinceMs: 11_000,
    });
  });

  it('counts the grace from the first failure of an unbroken row', () => {
    const name = 'NameNotResolved';
    expect(judge([1, name], [9, null], [12, name])).toMatchObject({ isReachable: true });
    expect(judge([1, name], [5, name], [12, name])).toMatchObject({ isReachable: false });
  });

  it('does not clear a mark by the grace: only a success does', () => {
    expect(judge([1, 'Unreachable'], [2, 'NameNotResolved'])).toMatchObject({
      isReachable: false,
      sinceMs: 1000,
    });
  });
});
