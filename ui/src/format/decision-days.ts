/** The list of decisions: days and the address of its filters. */
import type { Decision } from '../api/model.ts';
import { dayOf, type Zone } from './time.ts';

export interface DecisionDay {
  readonly day: string;
  readonly decisions: readonly Decision[];
}

/** Decisions under the day on which they were first taken, which is their order. */
export function decisionsByDay(decisions: readonly Decision[], zone: Zone): readonly DecisionDay[] {
  const days = new Map<string, Decision[]>();
  for (const decision of decisions) {
    const day = `${dayOf(decision.recordedAtMs, zone)}, ${zone === 'utc' ? 'UTC' : 'local time'}`;
    const same = days.get(day);
    if (same === undefined) days.set(day, [decision]);
    else same.push(decision);
  }
  return [...days].map(([day, list]) => ({ day, decisions: list }));
}

/** The page of decisions with one filter changed; an empty value removes it. */
export function decisionsHref(query: URLSearchParams, name: string, value: string): string {
  const next = new URLSearchParams(query);
  if (value === '') next.delete(name);
  else next.set(name, value);
  next.delete('open');
  return `/decisions${next.size > 0 ? `?${next}` : ''}`;
}
