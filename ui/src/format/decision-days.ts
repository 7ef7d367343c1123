/** Decisions under the day on which they were last taken. */
import type { Decision } from '../api/model.ts';
import { dayOf, type Zone } from './time.ts';

export interface DecisionDay {
  readonly day: string;
  readonly decisions: readonly Decision[];
}

export function decisionsByDay(decisions: readonly Decision[], zone: Zone): readonly DecisionDay[] {
  const days = new Map<string, Decision[]>();
  for (const decision of decisions) {
    const day = `${dayOf(decision.lastRepeatedAtMs, zone)}, ${zone === 'utc' ? 'UTC' : 'local time'}`;
    const same = days.get(day);
    if (same === undefined) days.set(day, [decision]);
    else same.push(decision);
  }
  return [...days].map(([day, list]) => ({ day, decisions: list }));
}
