import { describe, expect, it } from 'vitest';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';
import {
  mergeFeatureSettings,
  type FeatureProvenance,
  type FeatureRow,
} from '../../workflows/policy/merge-feature-settings.ts';

const flag = { level: 'global', targetId: GLOBAL_TARGET, feature: 'MetricsExport' } as const;
const row: FeatureRow = { ...flag, state: 'dryRun' };
const provenance: FeatureProvenance = {
  ...flag,
  state: 'dryRun',
  setBy: 'session:operator',
  reason: 'maintenance',
  setAtMs: 1000,
  expiresAtMs: 5000,
  formerState: 'enabled',
};

const statesAt = (rows: FeatureRow[] | null, known: FeatureProvenance[], nowMs: number) =>
  mergeFeatureSettings(rows, known, nowMs).settings.map((setting) => setting.state);

describe('mergeFeatureSettings', () => {
  it('says so where there is no table of flags', () => {
    expect(mergeFeatureSettings(null, [provenance], 0)).toEqual({
      isTableMissing: true,
      settings: [],
    });
  });

  it('takes a row that we know nothing about as it is', () => {
    const [setting] = mergeFeatureSettings([row], [], 2000).settings;
    expect(setting).toMatchObject({ state: 'dryRun', setBy: null, expiresAtMs: null });
  });

  it('adds who, why and until when', () => {
    expect(mergeFeatureSettings([row], [provenance], 2000).settings).toEqual([provenance]);
  });

  it('forgets the provenance of a value that somebody else has replaced', () => {
    const other: FeatureRow = { ...flag, state: 'disabled' };
    const [setting] = mergeFeatureSettings([other], [provenance], 9000).settings;
    expect(setting).toMatchObject({ state: 'disabled', setBy: null, expiresAtMs: null });
  });

  it('gives the former state back at the moment of expiry, by itself', () => {
    expect(statesAt([row], [provenance], 4999)).toEqual(['dryRun']);
    expect(statesAt([row], [provenance], 5000)).toEqual(['enabled']);
  });

  it('is unset again after expiry where it was unset before', () => {
    expect(statesAt([row], [{ ...provenance, formerState: null }], 5000)).toEqual([]);
  });

  it('gives a flag back that was unset for a while', () => {
    const unset: FeatureProvenance = { ...provenance, state: null };
    expect(statesAt([], [unset], 4999)).toEqual([]);
    expect(statesAt([], [unset], 5000)).toEqual(['enabled']);
  });

  it('does not bring back what somebody else has removed', () => {
    expect(statesAt([], [provenance], 4999)).toEqual([]);
    expect(statesAt([], [provenance], 5000)).toEqual([]);
  });

  it('keeps levels, targets and features apart', () => {
    const site: FeatureRow = { ...row, level: 'site', targetId: 'a', state: 'enabled' };
    const settings = mergeFeatureSettings([row, site], [provenance], 2000).settings;
    expect(settings.map(({ setBy }) => setBy)).toEqual(['session:operator', null]);
  });
});
