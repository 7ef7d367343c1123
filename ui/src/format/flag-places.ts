/** Where a flag can be set, and what is set there. */
import type {
  Feature,
  FeatureLevel,
  Features,
  FeatureSetting,
  FeatureState,
} from '../api/model.ts';
import { STATES } from './features.ts';

export interface FlagPlace {
  readonly feature: Feature;
  readonly level: FeatureLevel;
  /** Site name or Backend host; null: global. */
  readonly target: string | null;
  /** The value that was chosen; null: inherit. */
  readonly state: FeatureState | null;
}

/** What is set at a place; undefined: it inherits. */
export function settingAt(
  features: Features,
  feature: Feature,
  level: FeatureLevel,
  target: string | null,
): FeatureSetting | undefined {
  return features.settings.find(
    (each) =>
      each.feature === feature &&
      each.level === level &&
      (level === 'global' || each.targetName === target),
  );
}

/** The most that the levels above a place allow; null: nothing is set above. */
export function mostAllowed(
  features: Features,
  feature: Feature,
  level: FeatureLevel,
): { readonly state: FeatureState; readonly by: string } | null {
  const above: { state: FeatureState; by: string }[] = [];
  const global = settingAt(features, feature, 'global', null);
  if (level !== 'global' && global !== undefined) above.push({ state: global.state, by: 'Global' });
  const site = settingAt(features, feature, 'site', features.siteName);
  if (level === 'backend' && site !== undefined) {
    above.push({ state: site.state, by: `Site ${features.siteName}` });
  }
  return above.reduce<{ state: FeatureState; by: string } | null>(
    (least, each) =>
      least === null || STATES.indexOf(each.state) < STATES.indexOf(least.state) ? each : least,
    null,
  );
}

/** True where a higher level allows less than this value. */
export function isAbove(
  state: FeatureState,
  most: { readonly state: FeatureState } | null,
): boolean {
  return most !== null && STATES.indexOf(state) > STATES.indexOf(most.state);
}

/** Backends with a value of their own, by host. */
export function overriddenHosts(features: Features): ReadonlySet<string> {
  return new Set(
    features.settings.flatMap(({ level, targetName }) =>
      level === 'backend' && targetName !== null ? [targetName] : [],
    ),
  );
}
