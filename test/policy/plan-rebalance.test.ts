import { describe, expect, it } from 'vitest';
import type { BackendFacts, ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { BALANCING_EXCLUSIONS } from '../../workflows/policy/exclude-from-balancing.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import {
  aMemory,
  anOperation,
  aSnapshot,
  ENABLED,
  failing,
  fourBackends,
  NOW_MS,
  settings,
  struggling,
} from '../support/cluster-builders.ts';

function load(level: number, samples = 10_000): BackendFacts['load'] {
  return { cpu: level, memoryBytes: level * 1e9, metacacheBytes: level * 1e8, samples };
}

/** mail1 carries twice as much as the others; what a test is about is given for mail1 and mail2. */
function uneven(
  first: Partial<BackendFacts> = {},
  second: Partial<BackendFacts> = {},
  site: Partial<ClusterSnapshot> = {},
): ClusterSnapshot {
  const quiet = { load: load(1) };
  const hot = { load: load(2), ...first };
  return aSnapshot({
    backends: fourBackends(hot, { load: load(0.9), ...second }, quiet, quiet),
    ...site,
  });
}

/** The one decision of this snapshot. */
function decide(snapshot: ClusterSnapshot): Decision {
  const { decisions } = planRebalance(snapshot);
  expect(decisions).toHaveLength(1);
  return decisions[0] as Decision;
}

const withSettings = (fields: Partial<PolicySettings>, site = uneven()): ClusterSnapshot => ({
  ...site,
  settings: { ...settings, ...fields },
});
const ofLevels = (...levels: readonly number[]): ClusterSnapshot =>
  aSnapshot({ backends: fourBackends(...levels.map((level) => ({ load: load(level) }))) });

describe('planRebalance', () => {
  it('moves some users from the most to the least loaded', () => {
    expect(decide(uneven())).toMatchObject({
      task: 'rebalance_sites',
      kind: 'rebalance',
      reason: 'ScoreDelta',
      hosts: ['mail1', 'mail2'],
      backendId: 'id-mail1',
      detail: 'id-mail2',
      isDryRun: false,
      limitingSetting: 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO',
    });
  });

  it('shows the scores before and after', () => {
    const { numbers } = decide(uneven());
    const { scores } = planRebalance(uneven());
    expect(Object.keys(scores)).toEqual(['mail1', 'mail2', 'mail3', 'mail4']);
    expect(numbers).toMatchObject({
      threshold: 3,
      users: 25,
      eligible: 4,
      sourceScore: scores['mail1'],
      targetScore: scores['mail2'],
    });
    const { scoreDelta = 0, spreadPercent = 0 } = numbers;
    expect(scoreDelta).toBeCloseTo((scores['mail1'] ?? 0) - (scores['mail2'] ?? 0), 2);
    expect(numbers['projectedScoreDelta']).toBeLessThan(scoreDelta);
    expect(numbers['projectedTargetScore']).toBeGreaterThan(numbers['targetScore'] ?? 0);
    expect(numbers['projectedSpreadPercent']).toBeLessThan(spreadPercent);
  });

  it('does not depend on the order of the Backends', () => {
    const snapshot = uneven();
    const turned = { ...snapshot, backends: [...snapshot.backends].reverse() };
    expect(decide(turned)).toEqual(decide(snapshot));
  });
});

describe('who takes part in balancing', () => {
  const ran = { operation: anOperation({ cause: 'operator' }) };
  const held = { memory: aMemory({ operatorHoldUntilMs: NOW_MS + 1 }) };
  const exclusions: [string, Partial<BackendFacts>][] = [
    ['Offline', { status: 'offline' }],
    ['Standby', { status: 'standby' }],
    ['LoadFactorZero', { loadFactor: 0 }],
    ['FeatureDisabledAtBackend', { features: { BackendLoadBalancing: 'disabled' } }],
    ['CoolTime', { memory: aMemory({ lastBalancedAtMs: NOW_MS - 299_000 }) }],
    ['TooFewSamples', { load: load(2, 2_999) }],
    ['NotMeasured', { load: null }],
    ['Failing', { attempts: failing }],
    ['DoveadmUnreachable', { isDoveadmReachable: false }],
    ['OperationRunning', ran],
    ['OperatorHold', held],
  ];

  it('knows every exclusion', () => {
    expect(exclusions.map(([exclusion]) => exclusion).sort()).toEqual(
      [...BALANCING_EXCLUSIONS].sort(),
    );
  });

  it.each(exclusions)('is no source: %s', (exclusion, facts) => {
    const { decisions, excluded } = planRebalance(uneven(facts));
    expect(excluded).toEqual([{ host: 'mail1', exclusion }]);
    for (const { hosts } of decisions) expect(hosts).not.toContain('mail1');
    expect(decisions[0]?.numbers).toMatchObject({ eligible: 3, [`excluded${exclusion}`]: 1 });
  });

  it.each(exclusions)('is no target: %s', (exclusion, facts) => {
    const { decisions, excluded } = planRebalance(uneven({}, { load: load(0.9), ...facts }));
    expect(excluded).toEqual([{ host: 'mail2', exclusion }]);
    for (const { hosts } of decisions) expect(hosts).not.toContain('mail2');
  });

  const justNot: [string, Partial<BackendFacts>][] = [
    ['in cool time until now', { memory: aMemory({ lastBalancedAtMs: NOW_MS - 300_000 }) }],
    ['with just enough samples', { load: load(2, 3_000) }],
    ['held by an operator until now', { memory: aMemory({ operatorHoldUntilMs: NOW_MS }) }],
    ['with a small load factor', { loadFactor: 1 }],
  ];
  it.each(justNot)('takes part: %s', (_, facts) => {
    expect(planRebalance(uneven(facts)).excluded).toEqual([]);
  });

  it('is left alone for as long as its users are, after some were moved off because it failed', () => {
    const eased = (secsAgo: number) =>
      planRebalance(uneven({ memory: aMemory({ lastPartialMoveAtMs: NOW_MS - secsAgo * 1000 }) }));
    expect(eased(3_599).excluded).toEqual([{ host: 'mail1', exclusion: 'CoolTime' }]);
    expect(eased(3_600).excluded).toEqual([]);
  });

  it('is excluded when degraded, not only when critical', () => {
    const { excluded } = planRebalance(uneven({ attempts: struggling }));
    expect(excluded).toEqual([{ host: 'mail1', exclusion: 'Failing' }]);
  });

  it('compares also with those who only have to wait', () => {
    const cooling = { memory: aMemory({ lastBalancedAtMs: NOW_MS - 1_000 }) };
    // Without the hot one the others would be far apart, in deviations of their own.
    expect(decide(uneven(cooling))).toMatchObject({ kind: 'nothing', reason: 'BelowThreshold' });
    expect(decide(uneven({ status: 'standby' }))).toMatchObject({ numbers: { eligible: 3 } });
    const names = (facts: Partial<BackendFacts>) =>
      Object.keys(planRebalance(uneven(facts)).scores);
    expect(names(cooling)).toContain('mail1');
    expect(names({ operation: anOperation({ cause: 'rebalance' }) })).toContain('mail1');
    expect(names({ operation: anOperation({ cause: 'health' }) })).not.toContain('mail1');
    expect(names({ status: 'standby' })).not.toContain('mail1');
  });
});

describe('when nothing is balanced', () => {
  const holds: [string, Partial<ClusterSnapshot>][] = [
    ['NotTheOwner', { isOwner: false }],
    ['FeatureDisabled', { features: { ...ENABLED, BackendLoadBalancing: 'disabled' } }],
    ['AutomationPaused', { automation: 'paused' }],
  ];
  it.each(holds)('says so for the whole site: %s', (reason, site) => {
    expect(decide(uneven({}, {}, site))).toMatchObject({ kind: 'nothing', reason });
  });

  it('names the reason when it is blind', () => {
    const metrics = { ...aSnapshot().metrics, blindReason: 'TooFewProxies' as const };
    const blind = { kind: 'nothing', reason: 'Blind', detail: 'TooFewProxies' };
    expect(decide(uneven({}, {}, { metrics }))).toMatchObject(blind);
  });

  it('holds while catastrophe protection does', () => {
    const quiet = { load: load(1), attempts: failing };
    const backends = fourBackends({ load: load(2) }, quiet, quiet, quiet);
    const held = { kind: 'nothing', reason: 'CatastropheProtection' };
    expect(decide(aSnapshot({ backends }))).toMatchObject(held);
  });

  it('needs two who take part', () => {
    const off = { status: 'offline' } as const;
    const backends = fourBackends({ load: load(2) }, off, off, off);
    expect(decide(aSnapshot({ backends }))).toMatchObject({
      reason: 'TooFewEligible',
      numbers: { eligible: 1, excludedOffline: 3 },
    });
  });

  it('leaves alone what is even, whatever the z-scores say', () => {
    expect(decide(ofLevels(1, 1.01, 1, 0.99)).reason).toBe('BelowThreshold');
  });

  it('does not move where that could not make it better', () => {
    expect(decide(uneven({ userCount: 3 })).reason).toBe('CannotImprove');
  });

  it('passes over a Backend whose users all rest, and says so, until the first of them may move', () => {
    const resting = (untilMs: number) => uneven({ memory: aMemory({ usersRestUntilMs: untilMs }) });
    expect(decide(resting(NOW_MS + 1))).toMatchObject({
      kind: 'nothing',
      reason: 'UsersResting',
      limitingSetting: 'HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS',
    });
    expect(decide(resting(NOW_MS))).toEqual(decide(uneven()));
  });

  it('helps the next one meanwhile', () => {
    const { backends, ...rest } = ofLevels(2.4, 2, 0.9, 0.9);
    const [first, ...others] = backends;
    const memory = aMemory({ usersRestUntilMs: NOW_MS + 1 });
    if (first === undefined) throw new Error('no Backend');
    const decision = decide({ ...rest, backends: [{ ...first, memory }, ...others] });
    expect(decision).toMatchObject({ kind: 'rebalance', hosts: ['mail2', 'mail4'] });
    expect(decide({ ...rest, backends }).hosts[0]).toBe('mail1');
  });

  it('takes one whose users all rest as a target', () => {
    const { backends, ...rest } = uneven();
    const memory = aMemory({ usersRestUntilMs: NOW_MS + 1 });
    const target = decide({ ...rest, backends }).hosts[1];
    const withRest = backends.map((one) => (one.host === target ? { ...one, memory } : one));
    expect(decide({ ...rest, backends: withRest }).hosts[1]).toBe(target);
  });
});

describe('how much is moved', () => {
  it('at most HOST_LOAD_BALANCE_MOVE_RATIO of the source', () => {
    expect(decide(withSettings({ loadBalanceMoveRatio: 0.02 })).numbers['users']).toBe(10);
  });

  it('so many that the gap is halved', () => {
    const { numbers } = decide(withSettings({ loadBalanceMoveRatio: 1 }));
    // 500 users make 2.0: half of half the difference goes over.
    expect(numbers['users']).toBe(Math.floor((500 * (2 - 0.9)) / 2 / 2 / 2));
  });

  it('as two of three metrics say: caches keep what belonged to users who are gone', () => {
    const twoBytes = { cpu: 1, memoryBytes: 1e9, metacacheBytes: 9e8, samples: 10_000 };
    const stale = withSettings(
      { loadBalanceScoreDeltaThresholdRatio: 1 },
      uneven({ load: twoBytes }, { load: load(1) }),
    );
    expect(decide(stale).reason).toBe('CannotImprove');
    const busy = { cpu: 2, memoryBytes: 2e9, metacacheBytes: 1e8, samples: 10_000 };
    expect(decide(uneven({ load: busy })).kind).toBe('rebalance');
  });

  it('not at all between two that are as even as HOST_LOAD_BALANCE_MIN_SPREAD allows', () => {
    const backends = fourBackends({ load: load(1.09) }, { load: load(1) }).slice(0, 2);
    const two = aSnapshot({ backends });
    expect(decide(withSettings({ loadBalanceMinSpread: 0.05 }, two)).reason).toBe('BelowThreshold');
    expect(decide(withSettings({ loadBalanceMinSpread: 0.04 }, two)).kind).toBe('rebalance');
  });

  it('from the next one, where the most loaded one cannot be helped', () => {
    const { hosts } = decide(ofLevelsWithFewUsers());
    expect(hosts).toEqual(['mail3', 'mail2']);
  });
});

/** mail1 is the most loaded by far, by three users; mail3 comes next. */
function ofLevelsWithFewUsers(): ClusterSnapshot {
  const backends = fourBackends(
    { load: load(2), userCount: 3 },
    { load: load(0.5) },
    { load: load(1.9) },
    { load: load(1) },
  );
  return aSnapshot({ backends });
}

describe('what starts it', () => {
  it.each([
    { threshold: 5.2, kind: 'rebalance' },
    { threshold: 8, kind: 'nothing' },
  ])('a difference above $threshold: $kind', ({ threshold, kind }) => {
    const site = withSettings({ loadBalanceScoreDeltaThresholdRatio: threshold });
    expect(decide(site).kind).toBe(kind);
  });

  it('two metrics that agree on a site of two; one alone does not', () => {
    const two = (first: BackendFacts['load']) =>
      aSnapshot({ backends: fourBackends({ load: first }, { load: load(1) }).slice(0, 2) });
    const agreeing = { cpu: 2, memoryBytes: 2e9, metacacheBytes: 1e8, samples: 10_000 };
    expect(decide(two(agreeing)).kind).toBe('rebalance');
    expect(decide(two({ ...agreeing, memoryBytes: 1e9 })).reason).toBe('BelowThreshold');
    expect(decide(two({ ...agreeing, metacacheBytes: 5e7 })).reason).toBe('BelowThreshold');
  });
});

describe('DryRun', () => {
  const dryRun = { features: { BackendLoadBalancing: 'dryRun' } } as const;

  it('of the site decides, and nothing comes of it', () => {
    const features = { ...ENABLED, BackendLoadBalancing: 'dryRun' } as const;
    const answer = decide(uneven({}, {}, { features }));
    expect(answer).toMatchObject({ kind: 'rebalance', isDryRun: true });
  });

  it('of a Backend does not keep the others from being balanced', () => {
    const { decisions } = planRebalance(uneven({ load: load(2.1), ...dryRun }, { load: load(2) }));
    expect(decisions).toMatchObject([
      { kind: 'rebalance', isDryRun: true, hosts: ['mail1', 'mail4'] },
      { kind: 'rebalance', isDryRun: false, hosts: ['mail2', 'mail4'] },
    ]);
  });

  it('of a Backend is all there is where the others are even', () => {
    expect(decide(uneven(dryRun))).toMatchObject({ kind: 'rebalance', isDryRun: true });
  });
});
