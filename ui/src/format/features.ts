/** Words of the feature flags. */
import type {
  EffectiveFeature,
  Feature,
  FeatureLevel,
  Features,
  FeatureState,
} from '../api/model.ts';
import { listed } from './number.ts';

export const FEATURES: readonly Feature[] = [
  'MetricsExport',
  'BackendHealthAutoHandling',
  'BackendLoadBalancing',
];
/** From the most restrictive to the least. */
export const STATES: readonly FeatureState[] = ['disabled', 'dryRun', 'enabled'];

const STATE_NAMES: Readonly<Record<FeatureState, string>> = {
  enabled: 'Enabled',
  dryRun: 'DryRun',
  disabled: 'Disabled',
};

const LEVEL_NAMES: Readonly<Record<FeatureLevel, string>> = {
  global: 'Global',
  site: 'Site',
  backend: 'Backend',
};

export const FEATURE_TEXTS: Readonly<Record<Feature, string>> = {
  MetricsExport: 'Export metrics. Off switches the other two off as well.',
  BackendHealthAutoHandling: 'Evacuate critical Backends, relieve degraded ones, bring them back.',
  BackendLoadBalancing: 'Move Users from the most to the least loaded Backend.',
};

/** What a new value lets automation do. */
const EFFECTS: Readonly<Record<Feature, Readonly<Record<FeatureState, string>>>> = {
  MetricsExport: {
    enabled: 'Figures are exported, and the other features may work.',
    dryRun: 'Figures are exported; for this feature DryRun equals Enabled.',
    disabled: 'No figures are exported and no other feature works, whatever its own value.',
  },
  BackendHealthAutoHandling: {
    enabled: 'This lets automation move Users off failing Backends and change their status.',
    dryRun: 'Decisions are recorded, nothing is moved. Running automatic Evacuations pause.',
    disabled: 'Failing Backends are shown and left alone. Running automatic Evacuations pause.',
  },
  BackendLoadBalancing: {
    enabled: 'This lets automation move Users for balance.',
    dryRun: 'Decisions are recorded, nothing is moved for balance.',
    disabled: 'Load is not balanced.',
  },
};

export function stateName(state: FeatureState): string {
  return STATE_NAMES[state];
}

export function levelName(level: FeatureLevel): string {
  return LEVEL_NAMES[level];
}

export function effectText(feature: Feature, state: FeatureState): string {
  return EFFECTS[feature][state];
}

/** "decided at Site north", "by default", "because MetricsExport is off". */
export function provenance({ decidedBy }: EffectiveFeature): string {
  switch (decidedBy.kind) {
    case 'default':
      return 'by default: no level sets it';
    case 'tableMissing':
      return 'because there is no table of flags';
    case 'metricsExportOff':
      return 'because MetricsExport is off';
    case 'level': {
      const level = decidedBy.level === null ? '' : levelName(decidedBy.level);
      const name = decidedBy.level === 'global' ? '' : ` ${decidedBy.targetName ?? ''}`;
      return `set at ${level}${name}`;
    }
  }
}

/** "11 Enabled, 1 Disabled (mail10)": what is in effect on how many Backends. */
export function spreadText(features: Features, feature: Feature): string {
  const byState = new Map<FeatureState, string[]>();
  for (const { host, effective } of features.backends) {
    const state = effective.find((each) => each.feature === feature)?.state;
    if (state === undefined) continue;
    byState.set(state, [...(byState.get(state) ?? []), host]);
  }
  const groups = [...byState].sort(([, a], [, b]) => b.length - a.length);
  return groups
    .map(([state, hosts], index) =>
      index === 0 || hosts.length > 3
        ? `${hosts.length} ${stateName(state)}`
        : `${hosts.length} ${stateName(state)} (${listed(hosts)})`,
    )
    .join(', ');
}
