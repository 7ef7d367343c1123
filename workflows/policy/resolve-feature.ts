import {
  FEATURES,
  FEATURE_LEVELS,
  FEATURE_STATES,
  GLOBAL_TARGET,
  type Feature,
  type FeatureLevel,
  type FeatureSetting,
  type FeatureSettings,
  type FeatureState,
} from '../domain/feature-flag.ts';

export interface FeaturePlace {
  readonly siteId: string;
  /** Null: the state of the site as a whole. */
  readonly backendId: string | null;
  readonly nowMs: number;
}

export interface ResolvedFeature {
  readonly state: FeatureState;
  readonly decidedBy:
    | { readonly level: FeatureLevel; readonly targetId: string }
    | 'default'
    | 'tableMissing'
    | 'metricsExport';
}

/**
 * The state in effect: the most restrictive of global, site and Backend; an unset level inherits, and
 * where none is set the feature is disabled.
 * Source: controller documentation, "feature flags" (top-down precedence; default Disabled; no flags
 * table at all: everything enabled; MetricsExport is "required for all other features").
 */
export function resolveFeature(
  flags: FeatureSettings,
  feature: Feature,
  place: FeaturePlace,
): ResolvedFeature {
  if (flags.isTableMissing) return { state: 'enabled', decidedBy: 'tableMissing' };
  const own = resolveAlone(flags.settings, feature, place);
  if (feature === 'MetricsExport' || own.state === 'disabled') return own;
  const metricsExport = resolveAlone(flags.settings, 'MetricsExport', place);
  if (metricsExport.state === 'disabled') return { state: 'disabled', decidedBy: 'metricsExport' };
  return own;
}

/** All features at one place. */
export function resolveFeatures(
  flags: FeatureSettings,
  place: FeaturePlace,
): Record<Feature, FeatureState> {
  const states = FEATURES.map((feature) => [feature, resolveFeature(flags, feature, place).state]);
  return Object.fromEntries(states) as Record<Feature, FeatureState>;
}

/** The states at a Backend that are others than the site's. */
export function differingFeatures(
  flags: FeatureSettings,
  place: FeaturePlace,
  ofSite: Readonly<Record<Feature, FeatureState>>,
): Partial<Record<Feature, FeatureState>> {
  const own = Object.entries(resolveFeatures(flags, place));
  return Object.fromEntries(own.filter(([feature, state]) => ofSite[feature as Feature] !== state));
}

function resolveAlone(
  settings: readonly FeatureSetting[],
  feature: Feature,
  place: FeaturePlace,
): ResolvedFeature {
  let result: ResolvedFeature = { state: 'disabled', decidedBy: 'default' };
  for (const level of FEATURE_LEVELS) {
    const targetId = targetOf(level, place);
    if (targetId === null) continue;
    const state = stateAt(settings, feature, level, targetId, place.nowMs);
    if (state === null) continue;
    const isFirst = result.decidedBy === 'default';
    const restricts = FEATURE_STATES.indexOf(state) < FEATURE_STATES.indexOf(result.state);
    if (isFirst || restricts) result = { state, decidedBy: { level, targetId } };
  }
  return result;
}

function targetOf(level: FeatureLevel, place: FeaturePlace): string | null {
  if (level === 'global') return GLOBAL_TARGET;
  return level === 'site' ? place.siteId : place.backendId;
}

/** An expiry is evaluated when reading: the former value is back by itself. */
function stateAt(
  settings: readonly FeatureSetting[],
  feature: Feature,
  level: FeatureLevel,
  targetId: string,
  nowMs: number,
): FeatureState | null {
  const setting = settings.find(
    (each) => each.feature === feature && each.level === level && each.targetId === targetId,
  );
  if (setting === undefined) return null;
  const isExpired = setting.expiresAtMs !== null && setting.expiresAtMs <= nowMs;
  return isExpired ? setting.formerState : setting.state;
}
