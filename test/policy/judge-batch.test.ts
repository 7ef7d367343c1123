import { describe, expect, it } from 'vitest';
import { judgeBatch } from '../../workflows/policy/judge-batch.ts';

describe('judgeBatch', () => {
  it.each([
    { stillSecs: 2.9, isAnyMoving: false, isAnswering: false, answer: 'wait' },
    { stillSecs: 3, isAnyMoving: false, isAnswering: false, answer: 'giveUp' },
    { stillSecs: 3, isAnyMoving: true, isAnswering: false, answer: 'giveUp' },
    { stillSecs: 5.9, isAnyMoving: false, isAnswering: true, answer: 'wait' },
    { stillSecs: 6, isAnyMoving: false, isAnswering: true, answer: 'giveUp' },
    { stillSecs: 14.9, isAnyMoving: true, isAnswering: true, answer: 'wait' },
    { stillSecs: 15, isAnyMoving: true, isAnswering: true, answer: 'giveUp' },
  ] as const)(
    'still for $stillSecs s, moving $isAnyMoving, answering $isAnswering: $answer',
    ({ answer, ...batch }) => {
      expect(judgeBatch(batch)).toBe(answer);
    },
  );
});
