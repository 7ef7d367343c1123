import { assert } from '../domain/assert.ts';
import { newDecision, type Decision, type DecisionKind, type Reason } from '../domain/decision.ts';

/** A decision of `check_backend_health` with the fields that are seldom set left out. */
export function healthDecision(
  kind: DecisionKind,
  reason: Reason,
  fields: Partial<Decision> = {},
): Decision {
  return newDecision('check_backend_health', kind, reason, fields);
}

/**
 * One row for all Backends that nothing is done on for the same reason; everything else as it is.
 * Rows with a detail or numbers of their own stay apart unless these are equal.
 */
export function gatherNothings(decisions: readonly Decision[]): Decision[] {
  const alike = new Map<string, Decision[]>();
  const others: Decision[] = [];
  for (const decision of decisions) {
    if (decision.kind !== 'nothing' || decision.hosts.length !== 1) {
      others.push(decision);
      continue;
    }
    const key = [decision.reason, decision.detail, decision.isDryRun, decision.operationId].join();
    const same = alike.get(key);
    if (same === undefined) alike.set(key, [decision]);
    else same.push(decision);
  }
  return [...others, ...[...alike.values()].map(gather)];
}

function gather(alike: readonly Decision[]): Decision {
  const [first] = alike;
  assert(first !== undefined, 'there is something to gather');
  if (alike.length === 1) return { ...first, backendId: null };
  const hosts = alike.flatMap((decision) => decision.hosts).sort();
  return { ...first, backendId: null, hosts, numbers: {} };
}
