/** Sets a flag: who and why first, then the value that everybody reads. */
import {
  FEATURES,
  GLOBAL_TARGET,
  type Feature,
  type FeatureLevel,
  type FeatureSetting,
  type FeatureState,
} from '../workflows/domain/feature-flag.ts';
import { findHomeBackend, findSite, type Cluster } from './cluster-view.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError, fieldError } from './errors.ts';
import { readFeatureSettings } from './feature-view.ts';
import { futureMoment } from './future-moment.ts';
import { liveEvent } from './live-event.ts';

export interface FeatureWish {
  readonly feature: Feature;
  readonly level: FeatureLevel;
  readonly target: string | null;
  /** null: unset, so that the level inherits. */
  readonly state: FeatureState | null;
  readonly reason: string;
  readonly expiresAt: string | number | null;
  readonly actor: string;
}

/** Throws ApiError FeatureUnknown. */
export function parseFeature(name: string): Feature {
  const feature = FEATURES.find((each) => each.toLowerCase() === name.toLowerCase());
  if (feature === undefined) {
    throw new ApiError('FeatureUnknown', `there is no feature ${name}: ${FEATURES.join(', ')}`);
  }
  return feature;
}

/**
 * The provenance is written first: were the process to die in between, the stored value is the old
 * one and what we remember of it is void. Throws ApiError, or GatewayError{cassandra}.
 */
export async function changeFeature(
  dependencies: Dependencies,
  cluster: Cluster,
  wish: FeatureWish,
): Promise<void> {
  const { geodb, store, cache, now } = dependencies;
  const { feature, level, state, reason, actor } = wish;
  const targetId = targetIdOf(cluster, level, wish.target);
  const expiresAtMs = futureMoment('expiresAt', wish.expiresAt, now());
  const { settings, isTableMissing } = await readFeatureSettings(dependencies);
  if (isTableMissing) {
    throw new ApiError(
      'TableMissing',
      'Cassandra has no table cluster_settings: no flag can be set',
      {
        system: 'cassandra',
      },
    );
  }
  const present = settings.find(
    (each) => each.feature === feature && each.level === level && each.targetId === targetId,
  );
  const flag = { level, targetId, feature, state };
  const formerState = expiresAtMs === null ? null : whatReturns(present, expiresAtMs);
  await store.saveFeatureOverride({
    ...flag,
    setBy: actor,
    reason,
    setAtMs: now(),
    expiresAtMs,
    formerState,
  });
  await geodb.writeFeature(flag);
  await cache.publish(liveEvent(dependencies, 'features'));
}

/**
 * The state after the expiry: the present one, but not one that will itself have expired by then.
 */
function whatReturns(
  present: FeatureSetting | undefined,
  expiresAtMs: number,
): FeatureState | null {
  if (present === undefined) return null;
  const isOverByThen = present.expiresAtMs !== null && present.expiresAtMs <= expiresAtMs;
  return isOverByThen ? present.formerState : present.state;
}

function targetIdOf(cluster: Cluster, level: FeatureLevel, target: string | null): string {
  switch (level) {
    case 'global':
      if (target !== null) throw fieldError('target', 'the global level has none');
      return GLOBAL_TARGET;
    case 'site':
      return homeSiteId(cluster, target);
    case 'backend':
      if (target === null) throw fieldError('target', 'which Backend is required');
      return findHomeBackend(cluster, target).id;
  }
}

function homeSiteId({ home, sites }: Cluster, target: string | null): string {
  if (target !== null && findSite(sites, target).id !== home.id) {
    throw new ApiError('NotHomeSite', `${target} is not governed here: ask its controller`);
  }
  return home.id;
}
