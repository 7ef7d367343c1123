import { describe, expect, it } from 'vitest';
import type { BackendFacts, ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import {
  aMemory,
  anOperation,
  aSnapshot,
  ENABLED,
  failing,
  fourBackends,
  NOW_MS,
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

describe('planRebalance', () => {
  it('moves some users from the most to the least loaded, with projected scores', () => {
    const { decision, scores } = planRebalance(uneven());
    expect(decision).toMatchObject({
      task: 'rebalance_sites',
      kind: 'rebalance',
      reason: 'ScoreDelta',
      hosts: ['mail1', 'mail2'],
      backendId: 'id-mail1',
      detail: 'id-mail2',
      isDryRun: false,
      limitingSetting: 'HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO',
    });
    // 5 % of the 500 users of mail1 at most.
    expect(decision.numbers['users']).toBe(25);
    expect(decision.numbers['scoreDelta']).toBeGreaterThan(3);
    expect(decision.numbers['projectedSpreadPercent']).toBeLessThan(
      decision.numbers['spreadPercent'] ?? 0,
    );
    expect(Object.keys(scores)).toEqual(['mail1', 'mail2', 'mail3', 'mail4']);
  });

  const exclusions: [string, Partial<BackendFacts>, Partial<ClusterSnapshot>][] = [
    ['Offline', { status: 'offline' }, {}],
    ['Standby', { status: 'standby' }, {}],
    ['LoadFactorZero', { loadFactor: 0 }, {}],
    ['FeatureDisabledAtBackend', { features: { BackendLoadBalancing: 'disabled' } }, {}],
    ['CoolTime', { memory: aMemory({ lastBalancedAtMs: NOW_MS - 29_000 }) }, {}],
    ['TooFewSamples', { load: load(2, 2_999) }, {}],
    ['NotMeasured', { load: null }, {}],
    ['Failing', { attempts: failing }, {}],
    ['DoveadmUnreachable', { isDoveadmReachable: false }, {}],
    ['OperationRunning', { operation: anOperation({ cause: 'operator' }) }, {}],
  ];
  it.each(exclusions)('excludes a Backend: %s', (exclusion, facts) => {
    const { decision, excluded } = planRebalance(uneven(facts));
    expect(excluded).toContainEqual({ host: 'mail1', exclusion });
    expect(decision.hosts).not.toContain('mail1');
  });

  const holds: [string, Partial<ClusterSnapshot>][] = [
    ['NotTheOwner', { isOwner: false }],
    ['FeatureDisabled', { features: { ...ENABLED, BackendLoadBalancing: 'disabled' } }],
    ['AutomationPaused', { automation: 'paused' }],
  ];
  it.each(holds)('does nothing at all: %s', (reason, site) => {
    expect(planRebalance(uneven({}, {}, site)).decision).toMatchObject({ kind: 'nothing', reason });
  });

  it('does nothing when blind, and names the reason', () => {
    const metrics = { ...aSnapshot().metrics, blindReason: 'TooFewProxies' as const };
    const { decision } = planRebalance(uneven({}, {}, { metrics }));
    expect(decision).toMatchObject({ kind: 'nothing', reason: 'Blind', detail: 'TooFewProxies' });
  });

  it('does nothing while catastrophe protection holds', () => {
    const quiet = { load: load(1), attempts: failing };
    const backends = fourBackends({ load: load(2) }, quiet, quiet, quiet);
    const { decision } = planRebalance(aSnapshot({ backends }));
    expect(decision).toMatchObject({ kind: 'nothing', reason: 'CatastropheProtection' });
  });

  it('does nothing with fewer than two eligible, or where the scores are close', () => {
    const off = { status: 'offline' } as const;
    const one = fourBackends({ load: load(2) }, off, off, off);
    expect(planRebalance(aSnapshot({ backends: one })).decision.reason).toBe('TooFewEligible');
    const even = fourBackends(...[1, 1.01, 1, 0.99].map((level) => ({ load: load(level) })));
    expect(planRebalance(aSnapshot({ backends: even })).decision.reason).toBe('BelowThreshold');
  });

  it('does nothing where the move could not make it better', () => {
    const { decision } = planRebalance(uneven({ userCount: 3 }));
    expect(decision).toMatchObject({ kind: 'nothing', reason: 'CannotImprove' });
  });

  it('is only DryRun where either Backend of the pair is', () => {
    const dryRun = { features: { BackendLoadBalancing: 'dryRun' } } as const;
    expect(planRebalance(uneven({}, dryRun)).decision).toMatchObject({
      kind: 'rebalance',
      isDryRun: true,
    });
  });

  it('does not depend on the order of the Backends', () => {
    const snapshot = uneven();
    const turned = { ...snapshot, backends: [...snapshot.backends].reverse() };
    expect(planRebalance(turned).decision).toEqual(planRebalance(snapshot).decision);
  });
});
