/** Feature flags through to the decisions: who acts, who only decides, who does neither. */
import { describe, expect, it } from 'vitest';
import type { BackendFacts, ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import {
  FEATURE_LEVELS,
  FEATURE_STATES,
  GLOBAL_TARGET,
  parseFeatureState,
  type Feature,
  type FeatureLevel,
  type FeatureSettings,
  type FeatureState,
} from '../../workflows/domain/feature-flag.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import { decideDrains } from '../../workflows/policy/decide-drains.ts';
import {
  mergeFeatureSettings,
  type FeatureRow,
} from '../../workflows/policy/merge-feature-settings.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { differingFeatures, resolveFeatures } from '../../workflows/policy/resolve-feature.ts';
import {
  anOperation,
  aSnapshot,
  failing,
  fourBackends,
  NOW_MS,
} from '../support/cluster-builders.ts';

const SITE = 'site-north';
/** What the flags of the lowest level are about: the Backend that fails or is loaded the most, and a partner. */
const BACKENDS = ['id-mail1', 'id-mail2'];
const TARGETS: Record<FeatureLevel, readonly string[]> = {
  global: [GLOBAL_TARGET],
  site: [SITE],
  backend: BACKENDS,
};

/** As the GeoDB has them; a level that is not said is unset. */
type Levels = Partial<Record<FeatureLevel, FeatureState>>;

function rowsOf(feature: Feature, levels: Levels): FeatureRow[] {
  return FEATURE_LEVELS.flatMap((level) => {
    const state = levels[level];
    if (state === undefined) return [];
    return TARGETS[level].map((targetId) => ({ level, targetId, feature, state }));
  });
}

/** A snapshot as the activity makes it: flags resolved for the site, and for each Backend where it differs. */
function snapshotOf(flags: FeatureSettings, backends: readonly BackendFacts[]): ClusterSnapshot {
  const place = { siteId: SITE, backendId: null, nowMs: NOW_MS };
  const features = resolveFeatures(flags, place);
  const isExportOff = features.MetricsExport === 'disabled';
  const { metrics } = aSnapshot();
  return aSnapshot({
    features,
    metrics: isExportOff ? { ...metrics, blindReason: 'MetricsExportOff' } : metrics,
    backends: backends.map((facts) => ({
      ...facts,
      features: differingFeatures(flags, { ...place, backendId: facts.id }, features),
    })),
  });
}

const load = (level: number): BackendFacts['load'] => {
  return { cpu: level, memoryBytes: level * 1e9, metacacheBytes: level * 1e8, samples: 10_000 };
};
const loaded = fourBackends(...[2, 0.9, 1, 1].map((level) => ({ load: load(level) })));

type Outcome = 'acts' | 'only decides' | 'neither';

const DECIDERS = {
  BackendHealthAutoHandling: {
    backends: fourBackends({ attempts: failing }),
    decide: (snapshot: ClusterSnapshot) => decideBackendHealth(snapshot).decisions,
  },
  BackendLoadBalancing: {
    backends: loaded,
    decide: (snapshot: ClusterSnapshot) => planRebalance(snapshot).decisions,
  },
} as const;
type Decided = keyof typeof DECIDERS;
const DECIDED = Object.keys(DECIDERS) as Decided[];

/** What comes of mail1 under these flags. */
function outcomeOf(feature: Decided, flags: FeatureSettings): Outcome {
  const { backends, decide } = DECIDERS[feature];
  const about = decide(snapshotOf(flags, backends)).filter(
    ({ kind, hosts }) => kind !== 'nothing' && hosts.includes('mail1'),
  );
  if (about.length === 0) return 'neither';
  return about.some(({ isDryRun }) => !isDryRun) ? 'acts' : 'only decides';
}

const OUTCOMES: Record<FeatureState, Outcome> = {
  enabled: 'acts',
  dryRun: 'only decides',
  disabled: 'neither',
};
const exporting = rowsOf('MetricsExport', { global: 'enabled' });
const flagsOf = (...rows: FeatureRow[]) =>
  mergeFeatureSettings([...exporting, ...rows], [], NOW_MS);

/** By our own words: the most restrictive that is set; disabled where none is. */
function expected(levels: Levels): FeatureState {
  const set = FEATURE_LEVELS.map((level) => levels[level]).filter((state) => state !== undefined);
  return FEATURE_STATES.find((state) => set.includes(state)) ?? 'disabled';
}

const choices = [...FEATURE_STATES, undefined];
const combinations: Levels[] = choices.flatMap((global) =>
  choices.flatMap((site) =>
    choices.map((backend) => ({
      ...(global === undefined ? {} : { global }),
      ...(site === undefined ? {} : { site }),
      ...(backend === undefined ? {} : { backend }),
    })),
  ),
);
const name = (levels: Levels): string =>
  FEATURE_LEVELS.map((level) => `${level} ${levels[level] ?? 'unset'}`).join(', ');

describe.each(DECIDED)('%s', (feature) => {
  it('has 27 combinations of three states at three levels, 64 with unset ones', () => {
    expect(combinations).toHaveLength(64);
    expect(combinations.filter((levels) => Object.keys(levels).length === 3)).toHaveLength(27);
  });

  it.each(combinations.map((levels) => ({ said: name(levels), levels })))('$said', ({ levels }) => {
    const flags = flagsOf(...rowsOf(feature, levels));
    expect(outcomeOf(feature, flags)).toBe(OUTCOMES[expected(levels)]);
  });

  it.each([
    ['on', 'acts'],
    ['Enabled', 'acts'],
    ['dryrun', 'only decides'],
    ['DryRun', 'only decides'],
    ['off', 'neither'],
    ['DISABLED', 'neither'],
  ] as const)('is spelled %s as well: %s', (spelling, outcome) => {
    const state = parseFeatureState(spelling);
    expect(state).toBeDefined();
    const flags = flagsOf(...rowsOf(feature, { global: state ?? 'disabled' }));
    expect(outcomeOf(feature, flags)).toBe(outcome);
  });

  it.each([
    { secs: 1, outcome: 'neither' },
    { secs: 0, outcome: 'acts' },
    { secs: -1, outcome: 'acts' },
  ] as const)('expires by itself: $secs s before expiry: $outcome', ({ secs, outcome }) => {
    const provenance = {
      level: 'site',
      targetId: SITE,
      feature,
      state: 'disabled',
      setBy: 'anna',
      reason: 'maintenance',
      setAtMs: NOW_MS - 60_000,
      expiresAtMs: NOW_MS + secs * 1000,
      formerState: 'enabled',
    } as const;
    const rows = [...exporting, ...rowsOf(feature, { global: 'enabled', site: 'disabled' })];
    expect(outcomeOf(feature, mergeFeatureSettings(rows, [provenance], NOW_MS))).toBe(outcome);
  });

  it.each(FEATURE_LEVELS)('is off where MetricsExport is off at level %s', (level) => {
    const rows = rowsOf(feature, { global: 'enabled' });
    const off = rowsOf('MetricsExport', { global: 'enabled', [level]: 'disabled' });
    expect(outcomeOf(feature, mergeFeatureSettings([...rows, ...off], [], NOW_MS))).toBe('neither');
  });

  it('is on where there is no table of flags at all', () => {
    expect(outcomeOf(feature, mergeFeatureSettings(null, [], NOW_MS))).toBe('acts');
  });

  it('off at one Backend leaves the others as they are', () => {
    const [off] = rowsOf(feature, { backend: 'disabled' });
    const rows = [...rowsOf(feature, { global: 'enabled' }), ...(off === undefined ? [] : [off])];
    const others = fourBackends({}, { attempts: failing, load: load(2) });
    const backends = others.map((facts) =>
      facts.load === null ? { ...facts, load: load(1) } : facts,
    );
    const decisions = DECIDERS[feature].decide(snapshotOf(flagsOf(...rows), backends));
    const acts = decisions.filter(({ kind, isDryRun }) => kind !== 'nothing' && !isDryRun);
    // mail2 fails: it is evacuated; as it fails it is not balanced.
    const isHealth = feature === 'BackendHealthAutoHandling';
    expect(acts.map(({ kind, hosts }) => `${kind} ${hosts.join()}`)).toEqual(
      isHealth ? ['evacuate mail2'] : [],
    );
  });
});

describe('flags and what runs already', () => {
  it.each(DECIDED)('%s that leaves Enabled pauses what it had begun, at any level', (feature) => {
    const cause = feature === 'BackendLoadBalancing' ? 'rebalance' : 'health';
    const backends = fourBackends({ attempts: failing, operation: anOperation({ cause }) });
    for (const level of FEATURE_LEVELS) {
      for (const state of ['disabled', 'dryRun'] as const) {
        const both = DECIDED.flatMap((each) => rowsOf(each, { global: 'enabled' }));
        const kept = both.filter((row) => row.feature !== feature || row.level !== level);
        const flags = flagsOf(...kept, ...rowsOf(feature, { [level]: state }));
        const { decisions } = decideBackendHealth(snapshotOf(flags, backends));
        expect(decisions[0], `${level} ${state}`).toMatchObject({
          kind: 'pauseOperation',
          reason: 'FeatureDisabled',
          hosts: ['mail1'],
        });
      }
    }
  });

  it('a drain knows no flag: load factor 0 is an order', () => {
    const backends = fourBackends({ loadFactor: 0 });
    const off = DECIDED.flatMap((feature) => rowsOf(feature, { global: 'disabled' }));
    const decisions = decideDrains(snapshotOf(flagsOf(...off), backends));
    expect(decisions[0]).toMatchObject({ kind: 'drain', hosts: ['mail1'], isDryRun: false });
  });
});
