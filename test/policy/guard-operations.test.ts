import { describe, expect, it } from 'vitest';
import type {
  BackendFacts,
  ClusterSnapshot,
  RunningOperation,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { CatastropheState } from '../../workflows/policy/catastrophe.ts';
import {
  featureAt,
  guardOperations,
  isPausedByAutomation,
} from '../../workflows/policy/guard-operations.ts';
import { aBackend, anOperation, aSnapshot, ENABLED, NOW_MS } from '../support/cluster-builders.ts';

const CALM: CatastropheState = {
  isHolding: false,
  sharePercent: 25,
  thresholdPercent: 50,
  considered: 4,
  failing: [],
};
const HOLDING = { ...CALM, isHolding: true };
const unhealthy = {
  verdict: 'critical',
  judgedBy: 'both',
  failureRatio: 1,
  attempts: 40,
  windowSecs: 10,
  backendId: 'id-mail1',
  host: 'mail1',
  sinceMs: NOW_MS,
} as const;

function guard(
  operation: RunningOperation | null,
  fields: Partial<ClusterSnapshot> = {},
  catastrophe = CALM,
  features: BackendFacts['features'] = {},
): string[] {
  const facts = aBackend({ operation, features });
  const decisions = guardOperations(
    aSnapshot({ ...fields, backends: [facts] }),
    [{ facts, health: unhealthy }],
    catastrophe,
  );
  return decisions.map(({ kind, reason }) => `${kind} ${reason}`);
}

const evacuation = anOperation();
const drain = anOperation({ kind: 'drain', cause: 'drain' });
const rebalance = anOperation({ kind: 'rebalance', cause: 'rebalance' });
const byOperator = anOperation({ cause: 'operator' });
const paused = (stateReason: string, operation = evacuation) => ({
  ...operation,
  state: 'paused' as const,
  stateReason,
});
const healthOff = { features: { ...ENABLED, BackendHealthAutoHandling: 'disabled' } } as const;
const healthDry = { features: { ...ENABLED, BackendHealthAutoHandling: 'dryRun' } } as const;
const balancingOff = { features: { ...ENABLED, BackendLoadBalancing: 'disabled' } } as const;
const switchedOff = { automation: 'paused' } as const;
const blind = {
  metrics: { ...aSnapshot().metrics, blindReason: 'PrometheusUnreachable' },
} as const;

describe('guardOperations', () => {
  it.each([
    { name: 'no operation', given: null, fields: switchedOff, expected: [] },
    { name: 'all is well', given: evacuation, fields: {}, expected: [] },
    {
      name: 'the switch is off',
      given: evacuation,
      fields: switchedOff,
      expected: ['pauseOperation AutomationPaused'],
    },
    {
      name: 'the switch is off, for a drain too',
      given: drain,
      fields: switchedOff,
      expected: ['pauseOperation AutomationPaused'],
    },
    {
      name: 'the feature left Enabled',
      given: evacuation,
      fields: healthDry,
      expected: ['pauseOperation FeatureDisabled'],
    },
    {
      name: 'the feature is off',
      given: evacuation,
      fields: healthOff,
      expected: ['pauseOperation FeatureDisabled'],
    },
    { name: 'a drain knows no feature', given: drain, fields: healthOff, expected: [] },
    { name: 'balancing has its own feature', given: rebalance, fields: healthOff, expected: [] },
    {
      name: 'balancing is off',
      given: rebalance,
      fields: balancingOff,
      expected: ['pauseOperation FeatureDisabled'],
    },
    {
      name: "an operator's move is the operator's",
      given: byOperator,
      fields: switchedOff,
      expected: [],
    },
    { name: 'blind: a latched evacuation goes on', given: evacuation, fields: blind, expected: [] },
    {
      name: 'it is paused already',
      given: paused('AutomationPaused'),
      fields: switchedOff,
      expected: [],
    },
    {
      name: 'the switch is on again',
      given: paused('AutomationPaused'),
      fields: {},
      expected: ['resumeOperation AutomationResumed'],
    },
    {
      name: 'the feature is Enabled again',
      given: paused('FeatureDisabled'),
      fields: {},
      expected: ['resumeOperation AutomationResumed'],
    },
    {
      name: 'protection ended',
      given: paused('CatastropheProtection'),
      fields: {},
      expected: ['resumeOperation ProtectionEnded'],
    },
    {
      name: 'protection cannot be seen to end while blind',
      given: paused('CatastropheProtection'),
      fields: blind,
      expected: [],
    },
    {
      name: 'blind, and the switch is on again: evacuations wait for sight',
      given: paused('AutomationPaused'),
      fields: blind,
      expected: [],
    },
    {
      name: 'blind, and the switch is on again: a drain needs no sight',
      given: paused('AutomationPaused', drain),
      fields: blind,
      expected: ['resumeOperation AutomationResumed'],
    },
    {
      name: 'blind, and protection had paused a drain',
      given: paused('CatastropheProtection', drain),
      fields: blind,
      expected: [],
    },
    {
      name: 'protection ended, but the feature is off',
      given: paused('CatastropheProtection'),
      fields: healthOff,
      expected: [],
    },
    { name: 'an operator paused it', given: paused('ann: wait'), fields: {}, expected: [] },
  ])('answers $expected where $name', ({ given, fields, expected }) => {
    expect(guard(given, fields)).toEqual(expected);
  });

  it.each([evacuation, drain, rebalance])(
    'pauses every automatic operation in a catastrophe: $cause',
    (given) => {
      expect(guard(given, {}, HOLDING)).toEqual(['pauseOperation CatastropheProtection']);
    },
  );

  it('leaves an operator to it in a catastrophe', () => {
    expect(guard(byOperator, {}, HOLDING)).toEqual([]);
  });

  it('names the switch before protection, and protection before the feature', () => {
    expect(guard(evacuation, { ...switchedOff, ...healthOff }, HOLDING)).toEqual([
      'pauseOperation AutomationPaused',
    ]);
    expect(guard(evacuation, healthOff, HOLDING)).toEqual(['pauseOperation CatastropheProtection']);
  });

  it('goes by the feature at the Backend', () => {
    expect(guard(evacuation, {}, CALM, { BackendHealthAutoHandling: 'dryRun' })).toEqual([
      'pauseOperation FeatureDisabled',
    ]);
    expect(guard(evacuation, {}, CALM, { BackendLoadBalancing: 'disabled' })).toEqual([]);
  });
});

describe('isPausedByAutomation', () => {
  it.each([
    { given: paused('AutomationPaused'), expected: true },
    { given: paused('FeatureDisabled'), expected: true },
    { given: paused('CatastropheProtection'), expected: true },
    { given: paused('ann: AutomationPaused'), expected: false },
    { given: { ...evacuation, stateReason: 'AutomationPaused' }, expected: false },
  ])('is $expected for $given.state, $given.stateReason', ({ given, expected }) => {
    expect(isPausedByAutomation(given)).toBe(expected);
  });
});

describe('featureAt', () => {
  it("is the Backend's own where it differs, else the site's", () => {
    const own = aBackend({ features: { BackendHealthAutoHandling: 'disabled' } });
    expect(featureAt(aSnapshot(), own, 'BackendHealthAutoHandling')).toBe('disabled');
    expect(featureAt(aSnapshot(), own, 'BackendLoadBalancing')).toBe('enabled');
  });
});
