/** What is done about one Backend (mail1) of four, the others being healthy. */
import { describe, expect, it } from 'vitest';
import type { BackendFacts, ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import {
  aBackend,
  aMemory,
  anOperation,
  aSnapshot,
  counts,
  ENABLED,
  failing,
  fourBackends,
  history,
  NOW_MS,
  offlineByUs,
  serving,
  silent,
  struggling,
} from '../support/cluster-builders.ts';

const ago = (secs: number) => NOW_MS - secs * 1000;

function decideFor(
  facts: Partial<BackendFacts>,
  fields: Partial<ClusterSnapshot> = {},
): Decision[] {
  const backends = fourBackends(facts);
  const { decisions } = decideBackendHealth(aSnapshot({ backends, ...fields }));
  return decisions.filter(({ hosts }) => hosts.includes('mail1'));
}
const brief = ({ kind, reason, isDryRun }: Decision) =>
  `${isDryRun ? 'dry ' : ''}${kind} ${reason}`;
const briefs = (facts: Partial<BackendFacts>, fields?: Partial<ClusterSnapshot>) =>
  decideFor(facts, fields).map(brief).sort();

const wasDegraded = (secs: number, fields: Parameters<typeof aMemory>[0] = {}) =>
  aMemory({ verdict: 'degraded', verdictSinceMs: ago(secs), ...fields });
const probes = (succeeded: number, failed: number) => [
  { windowSecs: 15, logins: counts(succeeded, failed), deliveries: counts(0, 0) },
];
const byOperator = anOperation({ kind: 'batchMove', cause: 'operator' });
const partial = anOperation({ kind: 'partialMove', cause: 'degraded' });
const drain = anOperation({ kind: 'drain', cause: 'drain' });
const held = { state: 'paused', stateReason: 'ann: wait' } as const;
const protectedPause = { state: 'paused', stateReason: 'CatastropheProtection' } as const;

interface Case {
  readonly name: string;
  readonly given: Partial<BackendFacts>;
  readonly expected: string[];
}

describe('a critical Backend', () => {
  it.each<Case>([
    { name: 'is evacuated', given: {}, expected: ['evacuate FailureRateCritical'] },
    {
      name: 'is evacuated also when it is empty: then it is only set offline',
      given: { userCount: 0 },
      expected: ['evacuate FailureRateCritical'],
    },
    {
      name: 'is evacuated however recently users were moved off it',
      given: { memory: wasDegraded(5, { lastPartialMoveAtMs: ago(1) }) },
      expected: ['evacuate FailureRateCritical'],
    },
    {
      name: 'is evacuated in place of a partial move',
      given: { operation: partial },
      expected: ['evacuate FailureRateCritical'],
    },
    {
      name: "is evacuated in place of an operator's move",
      given: { operation: byOperator },
      expected: ['evacuate FailureRateCritical'],
    },
    {
      name: "is left alone where an operator paused the operator's move",
      given: { operation: { ...byOperator, ...held } },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left alone where an operator paused an automatic move',
      given: { operation: { ...partial, ...held } },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left alone where an operator paused a drain',
      given: { operation: { ...drain, ...held } },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is evacuated once, while the evacuation runs',
      given: { operation: anOperation() },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left alone while an operator holds automation off it',
      given: { memory: aMemory({ operatorHoldUntilMs: NOW_MS + 1 }) },
      expected: ['nothing OperatorHold'],
    },
    {
      name: 'is evacuated at the moment the hold is over',
      given: { memory: aMemory({ operatorHoldUntilMs: NOW_MS }) },
      expected: ['evacuate FailureRateCritical'],
    },
    {
      name: 'is left alone where its feature is off at the Backend',
      given: { features: { BackendHealthAutoHandling: 'disabled' } },
      expected: ['nothing AutoHandlingRestricted'],
    },
    {
      name: 'is decided dry where its feature is on DryRun at the Backend',
      given: { features: { BackendHealthAutoHandling: 'dryRun' } },
      expected: ['dry evacuate FailureRateCritical'],
    },
    { name: 'in standby stays', given: { status: 'standby' }, expected: ['nothing Standby'] },
    {
      name: 'that an operator set offline stays',
      given: { status: 'offline' },
      expected: ['nothing OfflineByOperator'],
    },
  ])('$name', ({ given, expected }) => {
    expect(briefs({ attempts: failing, ...given })).toEqual(expected);
  });

  it.each([
    { name: 'offline', others: { status: 'offline' } },
    { name: 'in standby', others: { status: 'standby' } },
    { name: 'without load factor', others: { loadFactor: 0 } },
    { name: 'silent on doveadm', others: { isDoveadmReachable: false } },
    { name: 'being emptied', others: { operation: anOperation({ cause: 'operator' }) } },
    { name: 'drained', others: { operation: drain } },
  ] as const)('has nowhere to go where all others are $name', ({ others }) => {
    const settings = { ...aSnapshot().settings, failureBackendNumThresholdPercent: 100 };
    const backends = fourBackends({ attempts: failing }, others, others, others);
    expect(briefs({}, { backends, settings })).toEqual(['nothing NoTarget']);
  });

  it('may go to a Backend that was not judged yet', () => {
    const unjudged = { attempts: silent };
    const backends = fourBackends({ attempts: failing }, unjudged, unjudged, unjudged);
    expect(briefs({}, { backends })).toEqual(['evacuate FailureRateCritical']);
  });

  it('is decided with the numbers that mattered', () => {
    expect(decideFor({ attempts: failing })[0]).toMatchObject({
      backendId: 'id-mail1',
      numbers: { failureRatio: 1, windowSecs: 10, attempts: 40, users: 500 },
      limitingSetting: 'HOST_FAILURE_CRITICAL_RATIO',
    });
  });
});

describe('a degraded Backend', () => {
  it.each<Case>([
    { name: 'is watched at first', given: {}, expected: ['nothing DegradedNotLongEnough'] },
    {
      name: 'is watched until it held for a whole window',
      given: { memory: wasDegraded(19.9) },
      expected: ['nothing DegradedNotLongEnough'],
    },
    {
      name: 'loses some users once it held for a whole window',
      given: { memory: wasDegraded(20) },
      expected: ['movePartially FailureRateDegraded'],
    },
    {
      name: 'is left alone in cool time',
      given: { memory: wasDegraded(90, { lastPartialMoveAtMs: ago(59.9) }) },
      expected: ['nothing CoolTime'],
    },
    {
      name: 'loses users again after cool time',
      given: { memory: wasDegraded(90, { lastPartialMoveAtMs: ago(60) }) },
      expected: ['movePartially FailureRateDegraded'],
    },
    {
      name: 'without users has none to lose',
      given: { memory: wasDegraded(90), userCount: 0 },
      expected: ['nothing NoUsers'],
    },
    {
      name: 'whose users were not counted loses none',
      given: { memory: wasDegraded(90), userCount: null },
      expected: ['nothing NoUsers'],
    },
    {
      name: 'is moved off in place of a drain',
      given: { memory: wasDegraded(90), operation: drain },
      expected: ['movePartially FailureRateDegraded'],
    },
    {
      name: 'is left to a drain that an operator paused',
      given: { memory: wasDegraded(90), operation: { ...drain, ...held } },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left to a partial move that runs',
      given: { memory: wasDegraded(90), operation: partial },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left to an operator',
      given: { memory: wasDegraded(90), operation: byOperator },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'is left alone while an operator holds automation off it',
      given: { memory: wasDegraded(90, { operatorHoldUntilMs: NOW_MS + 1 }) },
      expected: ['nothing OperatorHold'],
    },
  ])('$name', ({ given, expected }) => {
    expect(briefs({ attempts: struggling, ...given })).toEqual(expected);
  });

  it.each([
    { users: 500, expected: 100 },
    { users: 501, expected: 101 },
    { users: 1, expected: 1 },
  ])('with $users users loses $expected at a time', ({ users, expected }) => {
    const facts = { attempts: struggling, memory: wasDegraded(90), userCount: users };
    expect(decideFor(facts)[0]?.numbers['usersToMove']).toBe(expected);
  });
});

describe('a healthy or unknown Backend', () => {
  it.each<Case>([
    { name: 'healthy: nothing', given: {}, expected: ['nothing Healthy'] },
    {
      name: 'unknown: nothing, too few attempts',
      given: { attempts: silent },
      expected: ['nothing UnknownTooFewAttempts'],
    },
    {
      name: 'unknown under an evacuation: it goes on',
      given: { attempts: silent, operation: anOperation() },
      expected: ['nothing OperationRunning'],
    },
    {
      name: 'healthy under an evacuation: it ends',
      given: { operation: anOperation() },
      expected: ['endEvacuation FailureRateRecovered'],
    },
    {
      name: 'healthy under a partial move: it ends',
      given: { operation: partial },
      expected: ['endEvacuation FailureRateRecovered'],
    },
    {
      name: "healthy under an operator's move: it goes on",
      given: { operation: byOperator },
      expected: ['nothing Healthy'],
    },
    {
      name: 'healthy under a drain: it goes on',
      given: { operation: drain },
      expected: ['nothing Healthy'],
    },
  ])('$name', ({ given, expected }) => {
    expect(briefs({ attempts: serving, ...given })).toEqual(expected);
  });

  it('ends no evacuation under DryRun: that would open the Backend for new users', () => {
    const features = { ...ENABLED, BackendHealthAutoHandling: 'dryRun' } as const;
    const operation = anOperation({ state: 'paused', stateReason: 'FeatureDisabled' });
    expect(briefs({ operation }, { features })).toEqual(['dry endEvacuation FailureRateRecovered']);
  });

  it('ends an evacuation that protection had paused, and does not let it go on before', () => {
    const operation = anOperation(protectedPause);
    expect(briefs({ operation })).toEqual(['endEvacuation FailureRateRecovered']);
  });
});

describe('a Backend that protection keeps from being evacuated further', () => {
  const three = (facts: Partial<BackendFacts>) =>
    fourBackends(facts, { attempts: failing }, { attempts: failing });
  const empty = { attempts: silent, userCount: 0, operation: anOperation(protectedPause) };
  const about = (backends: BackendFacts[], fields: Partial<ClusterSnapshot> = {}) =>
    decideBackendHealth(aSnapshot({ backends, ...fields }))
      .decisions.filter(({ backendId }) => backendId === 'id-mail1')
      .map(brief);

  it('is set offline once it is empty, which starts its probes', () => {
    expect(about(three(empty))).toEqual(['setOffline EmptyAndCritical']);
  });

  it('is set offline, and not let go on as well, in the run in which protection ends', () => {
    expect(about(fourBackends(empty))).toEqual(['setOffline EmptyAndCritical']);
  });

  it.each([
    { name: 'users are left', facts: { ...empty, userCount: 1 } },
    { name: 'they were not counted', facts: { ...empty, userCount: null } },
    { name: 'an operator paused it', facts: { ...empty, operation: anOperation(held) } },
    { name: 'it is paused no more', facts: { ...empty, operation: anOperation() } },
    {
      name: 'it is a partial move',
      facts: { ...empty, operation: { ...partial, ...protectedPause } },
    },
  ])('is not set offline where $name', ({ facts }) => {
    expect(about(three(facts))).not.toContain('setOffline EmptyAndCritical');
  });

  it('is touched by nothing under DryRun', () => {
    const features = { ...ENABLED, BackendHealthAutoHandling: 'dryRun' } as const;
    expect(about(three(empty), { features })).toEqual(['dry setOffline EmptyAndCritical']);
  });
});

describe('a Backend that we set offline', () => {
  it.each<Case>([
    { name: 'returns', given: { attempts: probes(3, 0) }, expected: ['setOnline ProbesSucceed'] },
    {
      name: 'stays while a probe fails',
      given: { attempts: probes(3, 1) },
      expected: ['nothing RecoveryNotProven'],
    },
    {
      name: 'stays where an operator wrote its status since',
      given: { attempts: probes(3, 0), statusWrittenAtMicros: NOW_MS * 1000 },
      expected: ['nothing OfflineByOperator'],
    },
    {
      name: 'is only decided to return under DryRun',
      given: { attempts: probes(3, 0), features: { BackendHealthAutoHandling: 'dryRun' } },
      expected: ['dry setOnline ProbesSucceed'],
    },
  ])('$name', ({ given, expected }) => {
    expect(briefs(offlineByUs(20, given))).toEqual(expected);
  });

  it.each<Case>([
    {
      name: 'takes new users again, and that it was offline is forgotten',
      given: { status: 'online', statusWrittenAtMicros: NOW_MS * 1000 },
      expected: ['setOnline OnlineByOperator'],
    },
    {
      name: 'is left alone while an operation of its own runs',
      given: { status: 'online', statusWrittenAtMicros: NOW_MS * 1000, operation: drain },
      expected: ['nothing OperationRunning'],
    },
  ])('that an operator brought back $name', ({ given, expected }) => {
    expect(briefs({ ...offlineByUs(20, given), ...given })).toEqual(expected);
  });

  it('waits for its hold-down', () => {
    expect(briefs(offlineByUs(10, { attempts: probes(3, 0) }))).toEqual(['nothing HoldDown']);
  });

  it('needs deliveries as well where the site has any', () => {
    const delivering = {
      attempts: [{ windowSecs: 300, logins: counts(0, 0), deliveries: counts(1, 0) }],
    };
    const backends = fourBackends(offlineByUs(20, { attempts: probes(3, 0) }), delivering);
    expect(briefs({}, { backends })).toEqual(['nothing RecoveryNotProven']);
  });

  it('is judged by attempts since it returned, not by those that sent it away', () => {
    const attempts = history(
      { secs: 200, perSec: 4, failed: 1 },
      { secs: 5, perSec: 4, failed: 0 },
    );
    const back = aBackend({ attempts, statusWrittenAtMicros: ago(5) * 1000 });
    const memory = aMemory({ verdict: 'critical', verdictSinceMs: ago(90) });
    expect(briefs({ ...back, memory })).toEqual(['nothing UnknownTooFewAttempts']);
  });
});
