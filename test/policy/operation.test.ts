import { describe, expect, it } from 'vitest';
import {
  canBecome,
  isAutomatic,
  isEnded,
  OPERATION_CAUSES,
  OPERATION_STATES,
  outranks,
} from '../../workflows/domain/operation.ts';

const ENDED = ['done', 'cancelled', 'failed', 'superseded'];

describe('transitions of an operation', () => {
  it.each([
    ['planned', ['running', 'paused', 'cancelled', 'failed', 'superseded']],
    ['running', ['paused', 'verifying', 'cancelled', 'failed', 'superseded']],
    ['paused', ['running', 'verifying', 'cancelled', 'failed', 'superseded']],
    ['verifying', ['running', 'paused', 'done', 'cancelled', 'failed', 'superseded']],
    ['done', []],
    ['cancelled', []],
    ['failed', []],
    ['superseded', []],
  ] as const)('from %s go only to %j', (from, expected) => {
    const reachable = OPERATION_STATES.filter((to) => canBecome(from, to));
    expect(reachable.sort()).toEqual([...expected].sort());
  });

  it('know four ends, and every open state can reach each of them', () => {
    expect(OPERATION_STATES.filter(isEnded)).toEqual(ENDED);
    const seen = new Set(['planned']);
    for (const _round of OPERATION_STATES) {
      for (const from of OPERATION_STATES.filter((state) => seen.has(state))) {
        for (const to of OPERATION_STATES) if (canBecome(from, to)) seen.add(to);
      }
    }
    expect([...seen].sort()).toEqual([...OPERATION_STATES].sort());
  });

  it('are done only once verified', () => {
    expect(OPERATION_STATES.filter((from) => canBecome(from, 'done'))).toEqual(['verifying']);
  });
});

describe('causes of an operation', () => {
  it('rank health > operator > degraded > drain > rebalance > foreign, and nothing outranks its equal', () => {
    expect(OPERATION_CAUSES).toEqual([
      'health',
      'operator',
      'degraded',
      'drain',
      'rebalance',
      'foreign',
    ]);
    for (const [a, newer] of OPERATION_CAUSES.entries()) {
      for (const [b, running] of OPERATION_CAUSES.entries()) {
        expect(outranks(newer, running)).toBe(a < b);
      }
    }
  });

  it('are automatic but for the operator', () => {
    expect(OPERATION_CAUSES.filter((cause) => !isAutomatic(cause))).toEqual(['operator']);
  });
});
