import type { BackendFacts, ClusterSnapshot, HealthVerdict } from '../domain/cluster-snapshot.ts';
import type { Decision } from '../domain/decision.ts';
import { MAX_LOOK_BACK_SECS } from '../domain/policy-settings.ts';
import { assessHealth, isFailing, type HealthAssessment } from './assess-health.ts';
import { assessCatastrophe, type CatastropheState } from './catastrophe.ts';
import { decideOneBackend } from './decide-one-backend.ts';
import { gatherNothings, healthDecision } from './health-decision.ts';
import { guardOperations, isOffEverywhere } from './guard-operations.ts';

export interface BackendHealth extends HealthAssessment {
  readonly backendId: string;
  readonly host: string;
  /** Since when this verdict holds; the snapshot's time where it just changed. */
  readonly sinceMs: number;
}

export interface HealthDecisions {
  readonly decisions: readonly Decision[];
  readonly health: readonly BackendHealth[];
  readonly catastrophe: CatastropheState;
}

/** What `decideOneBackend` and the guards see of one Backend. */
export interface JudgedBackend {
  readonly facts: BackendFacts;
  readonly health: BackendHealth;
}

/**
 * The whole of `check_backend_health`: verdicts, catastrophe protection, evacuations, partial moves,
 * returns, and which running operations have to wait.
 * Source: controller documentation, "health checking" and "catastrophe protection".
 */
export function decideBackendHealth(snapshot: ClusterSnapshot): HealthDecisions {
  const { judged, catastrophe } = judgeBackends(snapshot);
  const decisions = decide(snapshot, judged, catastrophe);
  const health = judged.map((each) => each.health);
  return { decisions: gatherNothings(decisions), health, catastrophe };
}

/** The verdict on every Backend, and whether catastrophe protection holds: what other tasks heed too. */
export function judgeBackends(snapshot: ClusterSnapshot): {
  readonly judged: readonly JudgedBackend[];
  readonly catastrophe: CatastropheState;
} {
  const judged = snapshot.backends.map((facts) => ({
    facts,
    health: assessBackend(snapshot, facts),
  }));
  const catastrophe = assessCatastrophe(
    judged.map(({ facts, health }) => ({
      facts,
      verdict: health.verdict,
      verdictAgeSecs: (snapshot.takenAtMs - health.sinceMs) / 1000,
    })),
    snapshot.settings,
  );
  return { judged, catastrophe };
}

function decide(
  snapshot: ClusterSnapshot,
  judged: readonly JudgedBackend[],
  catastrophe: CatastropheState,
): Decision[] {
  if (!snapshot.isOwner) return [healthDecision('nothing', 'NotTheOwner')];
  if (snapshot.backends.length === 0) return [healthDecision('nothing', 'NoBackends')];
  const guards = guardOperations(snapshot, judged, catastrophe);
  const site = decideForSite(snapshot, catastrophe);
  if (site !== null && site.reason !== 'CatastropheProtection') return [...guards, site];
  const areDeliveriesSeen = judged.some(({ facts }) => hasDeliveries(facts));
  const each = judged.flatMap((one) =>
    decideOneBackend(snapshot, one, { catastrophe, judged, areDeliveriesSeen }),
  );
  const ending = new Set(each.filter(isEnding).map((decision) => decision.operationId));
  const others = guards.filter((decision) => !ending.has(decision.operationId));
  return [...others, ...(site === null ? [] : [site]), ...each];
}

/** An operation that ends now has neither to wait nor to go on. */
function isEnding({ kind, isDryRun, operationId }: Decision): boolean {
  return (kind === 'endEvacuation' || kind === 'setOffline') && !isDryRun && operationId !== null;
}

/** Reasons that hold the whole site; catastrophe protection still lets Backends return. */
function decideForSite(snapshot: ClusterSnapshot, catastrophe: CatastropheState): Decision | null {
  if (isOffEverywhere(snapshot, 'BackendHealthAutoHandling')) {
    return healthDecision('nothing', 'FeatureDisabled', {
      limitingSetting: 'BackendHealthAutoHandling',
    });
  }
  if (snapshot.automation === 'paused') return healthDecision('nothing', 'AutomationPaused');
  if (snapshot.metrics.blindReason !== null) {
    return healthDecision('nothing', 'Blind', {
      detail: snapshot.metrics.blindReason,
      numbers: {
        proxiesExpected: snapshot.metrics.proxiesExpected,
        proxiesSeen: snapshot.metrics.proxiesSeen,
      },
    });
  }
  if (!catastrophe.isHolding) return null;
  return healthDecision('nothing', 'CatastropheProtection', {
    hosts: catastrophe.failing,
    numbers: {
      sharePercent: Math.round(catastrophe.sharePercent * 10) / 10,
      thresholdPercent: catastrophe.thresholdPercent,
      failing: catastrophe.failing.length,
      considered: catastrophe.considered,
    },
    limitingSetting: 'HOST_FAILURE_BACKEND_NUM_THRESHOLD',
    detail: 'site',
  });
}

function assessBackend(snapshot: ClusterSnapshot, facts: BackendFacts): BackendHealth {
  const { settings, takenAtMs } = snapshot;
  const isBlind = snapshot.metrics.blindReason !== null;
  const windows = isBlind ? [] : facts.attempts;
  const sinceStatusSecs = secsSince(takenAtMs, facts.statusWrittenAtMicros, 1000);
  let assessment = assessHealth(windows, settings, sinceStatusSecs);
  const failingSinceMs = failingSince(facts, settings.failureWindowSecs);
  if (failingSinceMs !== null && looksBetter(assessment.verdict, facts)) {
    // Better than before only by attempts that were made since: a look-back that reaches beyond the
    // beginning of the trouble would dilute it with good old days.
    const ageSecs = Math.max(0, (takenAtMs - failingSinceMs) / 1000);
    assessment = assessHealth(windows, settings, Math.min(ageSecs, sinceStatusSecs));
  }
  const isSame = facts.memory?.verdict === assessment.verdict;
  const sinceMs = isSame ? (facts.memory?.verdictSinceMs ?? takenAtMs) : takenAtMs;
  return { ...assessment, backendId: facts.id, host: facts.host, sinceMs };
}

function looksBetter(verdict: HealthVerdict, facts: BackendFacts): boolean {
  if (!isFailing(verdict)) return true;
  const wasCritical = facts.memory?.verdict === 'critical' || facts.operation?.cause === 'health';
  return verdict === 'degraded' && wasCritical;
}

/** When the present trouble began, as far as we know; null: there is none. */
function failingSince(facts: BackendFacts, windowSecs: number): number | null {
  const times: number[] = [];
  if (facts.memory !== null && isFailing(facts.memory.verdict)) {
    // Degraded was judged by a whole window; what comes after it may be judged by a whole one too.
    const windowMs = facts.memory.verdict === 'degraded' ? windowSecs * 1000 : 0;
    times.push(facts.memory.verdictSinceMs - windowMs);
  }
  const operation = facts.operation;
  if (operation !== null && (operation.cause === 'health' || operation.cause === 'degraded')) {
    times.push(operation.createdAtMs);
  }
  return times.length === 0 ? null : Math.max(...times);
}

function secsSince(nowMs: number, micros: number | null, perMs: number): number {
  if (micros === null) return MAX_LOOK_BACK_SECS;
  return Math.max(0, (nowMs - micros / perMs) / 1000);
}

function hasDeliveries(facts: BackendFacts): boolean {
  return facts.attempts.some(
    (window) => window.deliveries.succeeded + window.deliveries.failed > 0,
  );
}
