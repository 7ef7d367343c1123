import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FEATURES,
  FEATURE_LEVELS,
  FEATURE_STATES,
  GLOBAL_TARGET,
  parseFeatureState,
  type Feature,
  type FeatureLevel,
  type FeatureSetting,
  type FeatureState,
} from '../../workflows/domain/feature-flag.ts';
import { resolveFeature, resolveFeatures } from '../../workflows/policy/resolve-feature.ts';
import { holdsFor } from '../support/property.ts';

const PLACE = { siteId: 'site-1', backendId: 'backend-1', nowMs: 1_000 };
const TARGETS: Record<FeatureLevel, string> = {
  global: GLOBAL_TARGET,
  site: PLACE.siteId,
  backend: PLACE.backendId,
};

function set(
  level: FeatureLevel,
  state: FeatureState,
  fields: Partial<FeatureSetting> = {},
): FeatureSetting {
  return {
    feature: 'BackendHealthAutoHandling',
    level,
    targetId: TARGETS[level],
    state,
    setBy: null,
    reason: null,
    setAtMs: null,
    expiresAtMs: null,
    formerState: null,
    ...fields,
  };
}

const exporting = set('global', 'enabled', { feature: 'MetricsExport' });
const flags = (...settings: FeatureSetting[]) => ({ isTableMissing: false, settings });
const stateOf = (...settings: FeatureSetting[]): FeatureState =>
  resolveFeature(flags(exporting, ...settings), 'BackendHealthAutoHandling', PLACE).state;
const rank = (state: FeatureState): number => FEATURE_STATES.indexOf(state);

describe('resolveFeature', () => {
  const combinations = FEATURE_STATES.flatMap((global) =>
    FEATURE_STATES.flatMap((site) => FEATURE_STATES.map((backend) => ({ global, site, backend }))),
  );

  it('knows 27 combinations of three levels and three states', () => {
    expect(combinations).toHaveLength(27);
  });

  it.each(combinations)(
    'takes the most restrictive of global $global, site $site and Backend $backend',
    ({ global, site, backend }) => {
      const lowest = Math.min(rank(global), rank(site), rank(backend));
      const state = stateOf(set('global', global), set('site', site), set('backend', backend));
      expect(state).toBe(FEATURE_STATES[lowest]);
    },
  );

  it('is disabled where nothing is set', () => {
    const nothing = resolveFeature(flags(exporting), 'BackendHealthAutoHandling', PLACE);
    expect(nothing).toEqual({ state: 'disabled', decidedBy: 'default' });
  });

  it('enables everything where there is no table of flags at all', () => {
    const missing = { isTableMissing: true, settings: [] };
    for (const feature of FEATURES) {
      const answer = resolveFeature(missing, feature, PLACE);
      expect(answer).toEqual({ state: 'enabled', decidedBy: 'tableMissing' });
    }
  });

  it.each(FEATURE_LEVELS)('lets unset levels inherit what %s says', (level) => {
    const answer = resolveFeature(
      flags(exporting, set(level, 'dryRun')),
      'BackendHealthAutoHandling',
      PLACE,
    );
    expect(answer).toEqual({ state: 'dryRun', decidedBy: { level, targetId: TARGETS[level] } });
  });

  it('names the highest level among equally restrictive ones', () => {
    const all = FEATURE_LEVELS.map((level) => set(level, 'dryRun'));
    const answer = resolveFeature(flags(exporting, ...all), 'BackendHealthAutoHandling', PLACE);
    expect(answer.decidedBy).toEqual({ level: 'global', targetId: GLOBAL_TARGET });
  });

  it('leaves Backend-level flags out of the state of a site', () => {
    const all = flags(exporting, set('site', 'enabled'), set('backend', 'disabled'));
    const site = { ...PLACE, backendId: null };
    expect(resolveFeature(all, 'BackendHealthAutoHandling', site).state).toBe('enabled');
  });

  it.each([
    { where: 'another site', setting: set('site', 'disabled', { targetId: 'site-2' }) },
    { where: 'another Backend', setting: set('backend', 'disabled', { targetId: 'backend-2' }) },
    {
      where: 'another feature',
      setting: set('site', 'disabled', { feature: 'BackendLoadBalancing' }),
    },
  ])('ignores a flag of $where', ({ setting }) => {
    expect(stateOf(set('global', 'enabled'), setting)).toBe('enabled');
  });

  it('forces every other feature off where MetricsExport is off, and says so', () => {
    const off = set('backend', 'disabled', { feature: 'MetricsExport' });
    const answer = resolveFeature(
      flags(exporting, off, set('global', 'enabled')),
      'BackendHealthAutoHandling',
      PLACE,
    );
    expect(answer).toEqual({ state: 'disabled', decidedBy: 'metricsExport' });
  });

  it('names its own flag where that is off as well as MetricsExport', () => {
    const answer = resolveFeature(
      flags(set('site', 'disabled')),
      'BackendHealthAutoHandling',
      PLACE,
    );
    expect(answer.decidedBy).toEqual({ level: 'site', targetId: 'site-1' });
  });

  it('keeps a feature as it is while MetricsExport is on DryRun', () => {
    const dry = set('global', 'dryRun', { feature: 'MetricsExport' });
    const all = flags(dry, set('global', 'enabled'));
    expect(resolveFeature(all, 'BackendHealthAutoHandling', PLACE).state).toBe('enabled');
  });

  it.each([
    { at: 'a millisecond before', expiresAtMs: 1_001, expected: 'disabled' },
    { at: 'at', expiresAtMs: 1_000, expected: 'enabled' },
    { at: 'after', expiresAtMs: 999, expected: 'enabled' },
  ])('has the former value back by itself: $at expiry $expected', ({ expiresAtMs, expected }) => {
    const temporary = set('global', 'disabled', { expiresAtMs, formerState: 'enabled' });
    expect(stateOf(temporary)).toBe(expected);
  });

  it('is unset after expiry where it was unset before', () => {
    const expired = set('site', 'disabled', { expiresAtMs: 999, formerState: null });
    expect(stateOf(set('global', 'enabled'), expired)).toBe('enabled');
  });

  it('is never less restrictive than any level that is set', () => {
    const settings = fc.array(
      fc.record({
        feature: fc.constantFrom<Feature>(...FEATURES),
        level: fc.constantFrom<FeatureLevel>(...FEATURE_LEVELS),
        state: fc.constantFrom<FeatureState>(...FEATURE_STATES),
      }),
      { maxLength: 9 },
    );
    holdsFor(settings, (rows) => {
      const unique = new Map(rows.map((row) => [`${row.feature}/${row.level}`, row]));
      const all = [...unique.values()].map((row) =>
        set(row.level, row.state, { feature: row.feature }),
      );
      const states = resolveFeatures(flags(...all), PLACE);
      for (const { feature, state } of all) {
        expect(rank(states[feature])).toBeLessThanOrEqual(rank(state));
      }
      const ownLevels = all.filter((each) => each.feature === 'BackendLoadBalancing');
      if (ownLevels.length === 0) expect(states.BackendLoadBalancing).toBe('disabled');
    });
  });
});

describe('parseFeatureState', () => {
  it.each([
    ['enabled', 'enabled'],
    ['ON', 'enabled'],
    [' off ', 'disabled'],
    ['Disabled', 'disabled'],
    ['DryRun', 'dryRun'],
    ['dry_run', 'dryRun'],
    ['dry-run', 'dryRun'],
    ['dry run', 'dryRun'],
    ['true', undefined],
    ['', undefined],
  ])('reads %j as %s', (text, expected) => {
    expect(parseFeatureState(text)).toBe(expected);
  });
});
