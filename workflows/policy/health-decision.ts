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
  const gathered = new Map<string, Decision>();
  const others: Decision[] = [];
  for (const decision of decisions) {
    if (decision.kind !== 'nothing' || decision.hosts.length !== 1) {
      others.push(decision);
      continue;
    }
    const key = [decision.reason, decision.detail, decision.isDryRun, decision.operationId].join();
    const former = gathered.get(key);
    if (former === undefined) gathered.set(key, { ...decision, backendId: null });
    else {
      const hosts = [...former.hosts, ...decision.hosts].sort();
      gathered.set(key, { ...former, hosts, numbers: {} });
    }
  }
  return [...others, ...gathered.values()];
}
