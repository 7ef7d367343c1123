/**
 * Feature flags: three features, three states, three levels.
 * Source: Cluster Controller documentation, "feature flags".
 */
export const FEATURES = [
  'MetricsExport',
  'BackendHealthAutoHandling',
  'BackendLoadBalancing',
] as const;
export type Feature = (typeof FEATURES)[number];

/** From the most restrictive to the least. */
export const FEATURE_STATES = ['disabled', 'dryRun', 'enabled'] as const;
export type FeatureState = (typeof FEATURE_STATES)[number];

export const FEATURE_LEVELS = ['global', 'site', 'backend'] as const;
export type FeatureLevel = (typeof FEATURE_LEVELS)[number];

/** The target of the global level. */
export const GLOBAL_TARGET = '00000000-0000-0000-0000-000000000000';

/** One set flag: a row of `cluster_settings`, with who, why and until when from our own store. */
export interface FeatureSetting {
  readonly feature: Feature;
  readonly level: FeatureLevel;
  /** uuid of the site or Backend; `GLOBAL_TARGET` for the global level. */
  readonly targetId: string;
  readonly state: FeatureState;
  readonly setBy: string | null;
  readonly reason: string | null;
  readonly setAtMs: number | null;
  /** From then on `formerState` (null: unset) holds again. */
  readonly expiresAtMs: number | null;
  readonly formerState: FeatureState | null;
}

/** All set flags of a cluster; `tableMissing` is the documented compatibility: everything enabled. */
export interface FeatureSettings {
  readonly isTableMissing: boolean;
  readonly settings: readonly FeatureSetting[];
}

/** Reads both documented families of spellings, in any case; undefined for anything else. */
export function parseFeatureState(text: string): FeatureState | undefined {
  switch (
    text
      .trim()
      .toLowerCase()
      .replace(/[_\s-]/g, '')
  ) {
    case 'enabled':
    case 'on':
      return 'enabled';
    case 'disabled':
    case 'off':
      return 'disabled';
    case 'dryrun':
      return 'dryRun';
    default:
      return undefined;
  }
}
