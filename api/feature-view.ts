/** Feature flags as the API shows them: effective states, and the matrix with who and why. */
import {
  FEATURES,
  GLOBAL_TARGET,
  type Feature,
  type FeatureLevel,
  type FeatureSettings,
} from '../workflows/domain/feature-flag.ts';
import { mergeFeatureSettings } from '../workflows/policy/merge-feature-settings.ts';
import { resolveFeature, type FeaturePlace } from '../workflows/policy/resolve-feature.ts';
import { backendsOf, type Cluster } from './cluster-view.ts';
import type { Dependencies } from './dependencies.ts';
import type { EffectiveFeature, FeatureSettingView, FeaturesView } from './schemas/feature.ts';

/** Rejects with GatewayError{cassandra}. */
export async function readFeatureSettings({
  geodb,
  store,
  now,
}: Dependencies): Promise<FeatureSettings> {
  const [rows, overrides] = await Promise.all([
    geodb.readFeatureRows(),
    store.readFeatureOverrides(),
  ]);
  return mergeFeatureSettings(rows, overrides, now());
}

export function presentFeatures(
  cluster: Cluster,
  settings: FeatureSettings,
  nowMs: number,
): FeaturesView {
  const { home } = cluster;
  const place = { siteId: home.id, backendId: null, nowMs };
  const backends = backendsOf(cluster, home);
  const targets = new Set([GLOBAL_TARGET, home.id, ...backends.map(({ id }) => id)]);
  return {
    siteName: home.name,
    isTableMissing: settings.isTableMissing,
    effective: effectiveFeatures(cluster, settings, place),
    backends: backends.map(({ id, host }) => ({
      backendId: id,
      host,
      effective: effectiveFeatures(cluster, settings, { ...place, backendId: id }),
    })),
    settings: settings.settings
      .filter(({ targetId }) => targets.has(targetId))
      .map((setting) => presentSetting(cluster, setting)),
  };
}

export function effectiveFeatures(
  cluster: Cluster,
  settings: FeatureSettings,
  place: FeaturePlace,
): EffectiveFeature[] {
  return FEATURES.map((feature) => effectiveFeature(cluster, settings, feature, place));
}

function effectiveFeature(
  cluster: Cluster,
  settings: FeatureSettings,
  feature: Feature,
  place: FeaturePlace,
): EffectiveFeature {
  const { state, decidedBy } = resolveFeature(settings, feature, place);
  if (typeof decidedBy === 'string') {
    const kind = decidedBy === 'metricsExport' ? 'metricsExportOff' : decidedBy;
    return { feature, state, decidedBy: { kind, level: null, targetId: null, targetName: null } };
  }
  const { level, targetId } = decidedBy;
  const targetName = nameOfTarget(cluster, level, targetId);
  return { feature, state, decidedBy: { kind: 'level', level, targetId, targetName } };
}

function presentSetting(
  cluster: Cluster,
  setting: FeatureSettings['settings'][number],
): FeatureSettingView {
  return { ...setting, targetName: nameOfTarget(cluster, setting.level, setting.targetId) };
}

function nameOfTarget(cluster: Cluster, level: FeatureLevel, targetId: string): string | null {
  switch (level) {
    case 'global':
      return null;
    case 'site':
      return cluster.siteNameOf(targetId);
    case 'backend':
      return cluster.hostOf(targetId);
  }
}
