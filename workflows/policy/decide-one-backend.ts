import type { ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import type { Decision, Reason } from '../domain/decision.ts';
import { outranks } from '../domain/operation.ts';
import { isOfflineByUs, type CatastropheState } from './catastrophe.ts';
import type { JudgedBackend } from './decide-backend-health.ts';
import { featureAt, isPausedByAutomation } from './guard-operations.ts';
import { healthDecision } from './health-decision.ts';
import { judgeRecovery } from './judge-recovery.ts';

export interface SiteSituation {
  readonly catastrophe: CatastropheState;
  readonly judged: readonly JudgedBackend[];
  readonly areDeliveriesSeen: boolean;
}

/**
 * What `check_backend_health` does about one Backend.
 * Source: controller documentation, table under "health checking": critical: evacuate all users, then
 * offline; degraded: move some users; healthy: nothing.
 */
export function decideOneBackend(
  snapshot: ClusterSnapshot,
  backend: JudgedBackend,
  situation: SiteSituation,
): Decision[] {
  const { facts } = backend;
  const state = featureAt(snapshot, facts, 'BackendHealthAutoHandling');
  const answer = aboutBackend(backend, state === 'dryRun');
  if (state === 'disabled') {
    return [answer('nothing', 'AutoHandlingRestricted', { detail: 'backend' })];
  }
  if (facts.status === 'standby') return [answer('nothing', 'Standby')];
  if (facts.status === 'offline') return [decideOffline(snapshot, backend, situation, answer)];
  if (isBroughtBack(facts)) return [answer('setOnline', 'OnlineByOperator')];
  const ended = decideEnd(backend, answer);
  if (ended !== null) return [ended];
  switch (backend.health.verdict) {
    case 'healthy':
      return [answer('nothing', 'Healthy')];
    case 'unknown':
      return [decideUnknown(backend, answer)];
    case 'critical':
      return [decideCritical(snapshot, backend, situation, answer)];
    case 'degraded':
      return [decideDegraded(snapshot, backend, situation, answer)];
  }
}

/**
 * We set it offline and somebody else set it online: what we shut besides (to new users) is opened, and
 * that it was offline is forgotten.
 */
function isBroughtBack({ memory, operation }: JudgedBackend['facts']): boolean {
  return (memory?.offlineWrittenAtMicros ?? null) !== null && operation === null;
}

type Answer = (kind: Decision['kind'], reason: Reason, fields?: Partial<Decision>) => Decision;

function aboutBackend(backend: JudgedBackend, isDryRun: boolean): Answer {
  const { facts, health } = backend;
  const measured: Record<string, number> = {};
  if (health.failureRatio !== null) measured['failureRatio'] = round(health.failureRatio);
  if (health.windowSecs !== null) measured['windowSecs'] = health.windowSecs;
  if (health.attempts > 0) measured['attempts'] = Math.round(health.attempts);
  return (kind, reason, fields = {}) =>
    healthDecision(kind, reason, {
      hosts: [facts.host],
      backendId: facts.id,
      isDryRun: isDryRun && kind !== 'nothing',
      ...fields,
      numbers: { ...measured, ...fields.numbers },
    });
}

function decideOffline(
  snapshot: ClusterSnapshot,
  { facts }: JudgedBackend,
  situation: SiteSituation,
  answer: Answer,
): Decision {
  if (!isOfflineByUs(facts)) return answer('nothing', 'OfflineByOperator');
  const recovery = judgeRecovery(facts, snapshot.settings, {
    nowMs: snapshot.takenAtMs,
    areDeliveriesSeen: situation.areDeliveriesSeen,
  });
  switch (recovery.answer) {
    case 'return':
      return answer('setOnline', 'ProbesSucceed', {
        numbers: { successes: Math.round(recovery.successes), windowSecs: recovery.windowSecs },
      });
    case 'hold':
      return answer('nothing', 'HoldDown', {
        numbers: { holdSecs: recovery.holdSecs },
        limitingSetting: 'HOST_RECOVERY_MAX_HOLD_SECS',
      });
    case 'notProven':
      return answer('nothing', 'RecoveryNotProven', {
        limitingSetting: 'HOST_RECOVERY_MIN_SUCCESSES',
      });
  }
}

/**
 * A latched evacuation ends for a healthy verdict; one that protection paused and that is already empty
 * is set offline, which starts its probes.
 */
function decideEnd(backend: JudgedBackend, answer: Answer): Decision | null {
  const { facts, health } = backend;
  const operation = facts.operation;
  if (operation === null || (operation.cause !== 'health' && operation.cause !== 'degraded')) {
    return null;
  }
  const fields = { operationId: operation.operationId };
  if (health.verdict === 'healthy') {
    return answer('endEvacuation', 'FailureRateRecovered', fields);
  }
  const isHeldEmpty =
    operation.cause === 'health' &&
    operation.state === 'paused' &&
    operation.stateReason === 'CatastropheProtection' &&
    facts.userCount === 0;
  if (!isHeldEmpty) return null;
  return answer('setOffline', 'EmptyAndCritical', fields);
}

function decideUnknown(backend: JudgedBackend, answer: Answer): Decision {
  if (backend.facts.operation !== null) return answer('nothing', 'OperationRunning');
  return answer('nothing', 'UnknownTooFewAttempts', { limitingSetting: 'HOST_FAILURE_MIN_LOGINS' });
}

function decideCritical(
  snapshot: ClusterSnapshot,
  backend: JudgedBackend,
  situation: SiteSituation,
  answer: Answer,
): Decision {
  const blocked = findObstacle(snapshot, backend, situation, 'critical');
  if (blocked !== null) return answer('nothing', blocked.reason, blocked.fields);
  return answer('evacuate', 'FailureRateCritical', {
    numbers: usersOf(backend),
    limitingSetting: 'HOST_FAILURE_CRITICAL_RATIO',
  });
}

function decideDegraded(
  snapshot: ClusterSnapshot,
  backend: JudgedBackend,
  situation: SiteSituation,
  answer: Answer,
): Decision {
  const { settings, takenAtMs } = snapshot;
  const { facts, health } = backend;
  const blocked = findObstacle(snapshot, backend, situation, 'degraded');
  if (blocked !== null) return answer('nothing', blocked.reason, blocked.fields);
  if ((facts.userCount ?? 0) === 0) return answer('nothing', 'NoUsers');
  if ((takenAtMs - health.sinceMs) / 1000 < settings.failureWindowSecs) {
    return answer('nothing', 'DegradedNotLongEnough', {
      limitingSetting: 'HOST_FAILURE_WINDOW_SECS',
    });
  }
  const lastMs = facts.memory?.lastPartialMoveAtMs ?? null;
  if (lastMs !== null && (takenAtMs - lastMs) / 1000 < settings.failureCoolTimeSecs) {
    return answer('nothing', 'CoolTime', { limitingSetting: 'HOST_FAILURE_COOL_TIME_SECS' });
  }
  const users = Math.ceil((facts.userCount ?? 0) * settings.degradedMoveRatio);
  return answer('movePartially', 'FailureRateDegraded', {
    numbers: { ...usersOf(backend), usersToMove: users },
    limitingSetting: 'HOST_FAILURE_RATIO',
  });
}

/** What keeps an automatic move off this Backend. */
function findObstacle(
  snapshot: ClusterSnapshot,
  { facts }: JudgedBackend,
  situation: SiteSituation,
  cause: 'critical' | 'degraded',
): { readonly reason: Reason; readonly fields: Partial<Decision> } | null {
  const operation = facts.operation;
  if (operation !== null && !mayReplace(operation, cause)) {
    return { reason: 'OperationRunning', fields: { operationId: operation.operationId } };
  }
  if (situation.catastrophe.isHolding) {
    return {
      reason: 'CatastropheProtection',
      fields: { limitingSetting: 'HOST_FAILURE_BACKEND_NUM_THRESHOLD' },
    };
  }
  const holdUntilMs = facts.memory?.operatorHoldUntilMs ?? null;
  if (holdUntilMs !== null && holdUntilMs > snapshot.takenAtMs) {
    return { reason: 'OperatorHold', fields: {} };
  }
  return hasTarget(situation.judged, facts.id) ? null : { reason: 'NoTarget', fields: {} };
}

/** A higher cause replaces everything below it, but never what an operator paused. */
function mayReplace(
  operation: NonNullable<JudgedBackend['facts']['operation']>,
  cause: 'critical' | 'degraded',
): boolean {
  if (operation.state === 'paused' && !isPausedByAutomation(operation)) return false;
  return outranks(cause === 'critical' ? 'health' : 'degraded', operation.cause);
}

function hasTarget(judged: readonly JudgedBackend[], sourceId: string): boolean {
  return judged.some(
    ({ facts, health }) =>
      facts.id !== sourceId &&
      facts.status === 'online' &&
      facts.loadFactor > 0 &&
      facts.isDoveadmReachable &&
      health.verdict !== 'critical' &&
      health.verdict !== 'degraded' &&
      facts.operation?.kind !== 'evacuation' &&
      facts.operation?.kind !== 'drain',
  );
}

function usersOf({ facts }: JudgedBackend): Record<string, number> {
  return facts.userCount === null ? {} : { users: facts.userCount };
}

function round(ratio: number): number {
  return Math.round(ratio * 10_000) / 10_000;
}
