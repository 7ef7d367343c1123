/** Whether catastrophe protection holds, and how near it is. */
import type { RecordedDecision } from '../workflows/domain/decision.ts';
import { assessCatastrophe, type AssessedBackend } from '../workflows/policy/catastrophe.ts';
import type { SiteFacts } from './backend-view.ts';
import type { Dependencies } from './dependencies.ts';
import type { CatastropheView } from './schemas/overview.ts';

/**
 * What holds is what the last `check_backend_health` decided; the share between its runs comes from
 * the same policy over the present verdicts.
 *
 * @param lastNothings the "nothing" decisions of the last run of `check_backend_health`
 */
export function presentCatastrophe(
  { config, now }: Dependencies,
  facts: SiteFacts,
  lastNothings: readonly RecordedDecision[],
): CatastropheView {
  const held = lastNothings.find((decision) => decision.reason === 'CatastropheProtection');
  const present = assessCatastrophe(assessedBackends(facts, now()), config.policy);
  if (held === undefined) {
    return {
      isHolding: false,
      sharePercent: facts.memories.size === 0 ? null : present.sharePercent,
      thresholdPercent: present.thresholdPercent,
      failingHosts: present.failing,
      decisionId: null,
      sinceMs: null,
    };
  }
  return {
    isHolding: true,
    sharePercent: held.numbers['sharePercent'] ?? present.sharePercent,
    thresholdPercent: held.numbers['thresholdPercent'] ?? present.thresholdPercent,
    failingHosts: held.hosts.length > 0 ? held.hosts : present.failing,
    decisionId: held.decisionId,
    sinceMs: held.recordedAtMs,
  };
}

function assessedBackends(facts: SiteFacts, nowMs: number): AssessedBackend[] {
  return facts.backends.map((backend) => {
    const memory = facts.memories.get(backend.id) ?? null;
    const operation = facts.operations.find((each) => each.sourceId === backend.id) ?? null;
    return {
      facts: {
        ...backend,
        userCount: null,
        isDoveadmReachable: true,
        attempts: [],
        load: null,
        memory,
        operation:
          operation === null ? null : { ...operation, remaining: operation.counts.remaining },
        features: {},
      },
      verdict: memory?.verdict ?? 'unknown',
      verdictAgeSecs: memory === null ? 0 : (nowMs - memory.verdictSinceMs) / 1000,
    };
  });
}
