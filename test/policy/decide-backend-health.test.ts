/** Whole runs of `check_backend_health`: what comes out for what kind of site. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HEALTH_VERDICTS,
  type BackendFacts,
  type ClusterSnapshot,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import { FEATURE_STATES } from '../../workflows/domain/feature-flag.ts';
import { OPERATION_CAUSES } from '../../workflows/domain/operation.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import {
  aMemory,
  anOperation,
  aSnapshot,
  counts,
  ENABLED,
  failing,
  fourBackends,
  history,
  logins,
  NOW_MS,
  offlineByUs,
  serving,
  silent,
  struggling,
} from '../support/cluster-builders.ts';
import { holdsFor } from '../support/property.ts';

const decide = (fields: Partial<ClusterSnapshot>) => decideBackendHealth(aSnapshot(fields));
const brief = ({ kind, reason, hosts, isDryRun }: Decision) =>
  `${isDryRun ? 'dry ' : ''}${kind} ${reason} ${hosts.join('+')}`.trim();
const briefs = (fields: Partial<ClusterSnapshot>) => decide(fields).decisions.map(brief).sort();
const ago = (secs: number) => NOW_MS - secs * 1000;
const blind = { ...aSnapshot().metrics, blindReason: 'PrometheusUnreachable' } as const;

const critical: Partial<BackendFacts> = { attempts: failing };
const degraded: Partial<BackendFacts> = {
  attempts: struggling,
  memory: aMemory({ verdict: 'degraded', verdictSinceMs: ago(20) }),
};
const probed = [{ windowSecs: 15, logins: counts(9, 0), deliveries: counts(9, 0) }];

describe('decideBackendHealth for the site as a whole', () => {
  it.each<{ name: string; given: Partial<ClusterSnapshot>; expected: string[] }>([
    {
      name: 'all healthy: nothing, in one row',
      given: { backends: fourBackends() },
      expected: ['nothing Healthy mail1+mail2+mail3+mail4'],
    },
    {
      name: 'a site that belongs to another installation: nothing at all',
      given: { isOwner: false, backends: fourBackends(critical) },
      expected: ['nothing NotTheOwner'],
    },
    { name: 'no Backends', given: { backends: [] }, expected: ['nothing NoBackends'] },
    {
      name: 'feature disabled: nothing is decided about any Backend',
      given: {
        features: { ...ENABLED, BackendHealthAutoHandling: 'disabled' },
        backends: fourBackends(critical),
      },
      expected: ['nothing FeatureDisabled'],
    },
    {
      name: 'automation paused',
      given: { automation: 'paused', backends: fourBackends(critical) },
      expected: ['nothing AutomationPaused'],
    },
    {
      name: 'blind: nothing, also no return',
      given: {
        metrics: blind,
        backends: fourBackends(critical, offlineByUs(20, { attempts: probed })),
      },
      expected: ['nothing Blind'],
    },
    {
      name: 'one of four critical: evacuated, the others left alone',
      given: { backends: fourBackends(critical) },
      expected: ['evacuate FailureRateCritical mail1', 'nothing Healthy mail2+mail3+mail4'],
    },
    {
      name: 'two of four critical: both evacuated',
      given: { backends: fourBackends(critical, critical) },
      expected: [
        'evacuate FailureRateCritical mail1',
        'evacuate FailureRateCritical mail2',
        'nothing Healthy mail3+mail4',
      ],
    },
    {
      name: 'three of four at once: protection holds and says why, for the site and each Backend',
      given: { backends: fourBackends(critical, critical, critical) },
      expected: [
        'nothing CatastropheProtection mail1+mail2+mail3',
        'nothing CatastropheProtection mail1+mail2+mail3',
        'nothing Healthy mail4',
      ],
    },
    {
      name: 'three of four, one after another: what runs pauses, the third does not start',
      given: {
        backends: fourBackends(
          { ...critical, operation: anOperation({ operationId: 'o1' }) },
          { ...critical, operation: anOperation({ operationId: 'o2', state: 'verifying' }) },
          critical,
        ),
      },
      expected: [
        'nothing CatastropheProtection mail1+mail2+mail3',
        'nothing CatastropheProtection mail3',
        'nothing Healthy mail4',
        'nothing OperationRunning mail1',
        'nothing OperationRunning mail2',
        'pauseOperation CatastropheProtection mail1',
        'pauseOperation CatastropheProtection mail2',
      ],
    },
    {
      name: 'protection holds, and still a Backend returns',
      given: {
        backends: fourBackends(critical, critical, offlineByUs(20, { attempts: probed })),
      },
      expected: [
        'nothing CatastropheProtection mail1+mail2',
        'nothing CatastropheProtection mail1+mail2+mail3',
        'nothing Healthy mail4',
        'setOnline ProbesSucceed mail3',
      ],
    },
    {
      name: 'DryRun: the same decisions, none of them carried out',
      given: {
        features: { ...ENABLED, BackendHealthAutoHandling: 'dryRun' },
        backends: fourBackends(critical, degraded),
      },
      expected: [
        'dry evacuate FailureRateCritical mail1',
        'dry movePartially FailureRateDegraded mail2',
        'nothing Healthy mail3+mail4',
      ],
    },
    {
      name: 'DryRun at one Backend: only that one is dry',
      given: {
        backends: fourBackends(
          { ...critical, features: { BackendHealthAutoHandling: 'dryRun' } },
          critical,
        ),
      },
      expected: [
        'dry evacuate FailureRateCritical mail1',
        'evacuate FailureRateCritical mail2',
        'nothing Healthy mail3+mail4',
      ],
    },
    {
      name: 'the last healthy Backend is no target: nothing, and it says so',
      given: {
        settings: { ...aSnapshot().settings, failureBackendNumThresholdPercent: 100 },
        backends: fourBackends(critical, critical, critical, { loadFactor: 0 }),
      },
      expected: ['nothing Healthy mail4', 'nothing NoTarget mail1+mail2+mail3'],
    },
  ])('$name', ({ given, expected }) => {
    expect(briefs(given)).toEqual(expected);
  });

  it('names the share, the threshold and the setting of a hold', () => {
    const { decisions, catastrophe } = decide({
      backends: fourBackends(critical, critical, critical),
    });
    expect(catastrophe).toMatchObject({ isHolding: true, sharePercent: 75, considered: 4 });
    expect(decisions.find((each) => each.detail === 'site')).toMatchObject({
      numbers: { sharePercent: 75, thresholdPercent: 50, failing: 3, considered: 4 },
      limitingSetting: 'HOST_FAILURE_BACKEND_NUM_THRESHOLD',
    });
  });

  it('says why it is blind', () => {
    expect(decide({ metrics: blind }).decisions[0]).toMatchObject({
      detail: 'PrometheusUnreachable',
      numbers: { proxiesExpected: 2, proxiesSeen: 2 },
    });
  });
});

describe('verdicts of decideBackendHealth', () => {
  const judge = (facts: Partial<BackendFacts>, fields: Partial<ClusterSnapshot> = {}) =>
    decide({ ...fields, backends: fourBackends(facts) }).health[0];
  const fading = history(
    { secs: 240, perSec: 4, failed: 0 },
    { secs: 20, perSec: 4, failed: 1 },
    { secs: 40, perSec: 0.1, failed: 1 },
  );
  const wasCritical = aMemory({ verdict: 'critical', verdictSinceMs: ago(50) });

  it('are unknown while blind, whatever the attempts say', () => {
    expect(judge(critical, { metrics: blind })?.verdict).toBe('unknown');
  });

  it('keep their beginning while they hold and begin anew when they change', () => {
    expect(judge({ ...critical, memory: wasCritical })?.sinceMs).toBe(ago(50));
    expect(judge({ ...critical, memory: aMemory() })?.sinceMs).toBe(NOW_MS);
    expect(judge(critical)?.sinceMs).toBe(NOW_MS);
  });

  it('do not turn healthy by the good old days in a look-back that grew', () => {
    expect(judge({ attempts: fading })?.verdict, 'this look-back is diluted').toBe('degraded');
    expect(judge({ attempts: fading, memory: wasCritical })?.verdict).toBe('unknown');
    const latched = { attempts: fading, operation: anOperation({ createdAtMs: ago(50) }) };
    expect(judge({ ...latched, memory: wasCritical })?.verdict).toBe('unknown');
  });

  it('stay unknown while an evacuation is latched and its users have left', () => {
    const left = history({ secs: 270, perSec: 4, failed: 0 }, { secs: 30, perSec: 0.2, failed: 1 });
    const operation = anOperation({ createdAtMs: ago(25) });
    for (const verdict of HEALTH_VERDICTS) {
      const memory = aMemory({ verdict, verdictSinceMs: ago(10) });
      expect(judge({ attempts: left, operation, memory })?.verdict, verdict).toBe('unknown');
    }
  });

  it('turn healthy by attempts since the trouble began', () => {
    const restored = history(
      { secs: 40, perSec: 4, failed: 1 },
      { secs: 25, perSec: 4, failed: 0 },
    );
    const operation = anOperation({ createdAtMs: ago(50) });
    const memory = wasCritical;
    expect(judge({ attempts: restored, operation, memory })?.verdict).toBe('healthy');
  });

  it('go from critical over degraded to healthy without a run of not knowing', () => {
    const attempts = history(
      { secs: 60, perSec: 4, failed: 1 },
      { secs: 20, perSec: 4, failed: 0 },
    );
    const memory = aMemory({ verdict: 'degraded', verdictSinceMs: ago(10) });
    expect(judge({ attempts, memory })?.verdict).toBe('healthy');
  });

  it('heed the latest sign of trouble: an old operation does not make a new failure look old', () => {
    const attempts = history(
      { secs: 270, perSec: 4, failed: 0 },
      { secs: 30, perSec: 0.2, failed: 1 },
    );
    const memory = aMemory({ verdict: 'critical', verdictSinceMs: ago(25) });
    const operation = anOperation({ createdAtMs: ago(400) });
    expect(judge({ attempts, memory, operation })?.verdict).toBe('unknown');
  });

  it('do not turn healthy by old attempts while users are being moved off a degraded one', () => {
    const attempts = history(
      { secs: 280, perSec: 4, failed: 0 },
      { secs: 20, perSec: 0.2, failed: 1 },
    );
    const memory = aMemory({ verdict: 'unknown', verdictSinceMs: ago(10) });
    const operation = anOperation({ cause: 'degraded', kind: 'partialMove', createdAtMs: ago(15) });
    expect(judge({ attempts, memory, operation })?.verdict).toBe('unknown');
  });

  it('leave out attempts from before the last change of status', () => {
    const returned = history(
      { secs: 280, perSec: 4, failed: 1 },
      { secs: 12, perSec: 4, failed: 0 },
    );
    const since = (secs: number) => ({
      attempts: returned,
      statusWrittenAtMicros: ago(secs) * 1000,
    });
    expect(judge(since(300))?.verdict).toBe('degraded');
    expect(judge(since(12))?.verdict).toBe('unknown');
    const later = history({ secs: 280, perSec: 4, failed: 1 }, { secs: 20, perSec: 4, failed: 0 });
    expect(judge({ ...since(20), attempts: later })?.verdict).toBe('healthy');
    expect(judge({ ...since(-5), attempts: later })?.verdict, 'a clock ahead').toBe('unknown');
  });

  it('judge a Backend whose status was never written by all that is known', () => {
    expect(judge({ ...critical, statusWrittenAtMicros: null })?.verdict).toBe('critical');
  });
});

describe('decideBackendHealth on random sites', () => {
  const states = fc.record({
    attempts: fc.constantFrom(serving, failing, struggling, silent, [logins(300, 5, 20)]),
    status: fc.constantFrom('online', 'online', 'online', 'standby', 'offline'),
    loadFactor: fc.constantFrom(0, 50, 100),
    userCount: fc.constantFrom(0, 1, 500),
    isDoveadmReachable: fc.boolean(),
    verdict: fc.constantFrom(...HEALTH_VERDICTS),
    verdictAgeSecs: fc.constantFrom(0, 10, 30, 400),
    isOfflineByUs: fc.boolean(),
    holdSecs: fc.constantFrom(null, -5, 100),
    cause: fc.option(fc.constantFrom(...OPERATION_CAUSES), { nil: null }),
    state: fc.constantFrom('planned', 'running', 'paused', 'verifying'),
    stateReason: fc.constantFrom(null, 'CatastropheProtection', 'FeatureDisabled', 'ann: wait'),
    feature: fc.constantFrom(undefined, ...FEATURE_STATES),
  } as const);
  const sites = fc.record({
    backends: fc
      .array(states, { minLength: 1, maxLength: 8 })
      .map((all) => all.map((each, index) => toFacts(`mail${index + 1}`, each))),
    automation: fc.constantFrom('running', 'running', 'running', 'paused'),
    metrics: fc.constantFrom(aSnapshot().metrics, aSnapshot().metrics, blind),
    state: fc.constantFrom('enabled', 'enabled', ...FEATURE_STATES),
  } as const);

  interface Given {
    readonly attempts: BackendFacts['attempts'];
    readonly status: BackendFacts['status'];
    readonly loadFactor: number;
    readonly userCount: number;
    readonly isDoveadmReachable: boolean;
    readonly verdict: (typeof HEALTH_VERDICTS)[number];
    readonly verdictAgeSecs: number;
    readonly isOfflineByUs: boolean;
    readonly holdSecs: number | null;
    readonly cause: (typeof OPERATION_CAUSES)[number] | null;
    readonly state: 'planned' | 'running' | 'paused' | 'verifying';
    readonly stateReason: string | null;
    readonly feature: (typeof FEATURE_STATES)[number] | undefined;
  }

  function toFacts(host: string, given: Given): BackendFacts {
    const { cause, state, feature, holdSecs, ...rest } = given;
    const writtenAtMicros = ago(90) * 1000;
    return {
      id: `id-${host}`,
      host,
      status: rest.status,
      loadFactor: rest.loadFactor,
      statusWrittenAtMicros: writtenAtMicros,
      userCount: rest.userCount,
      isDoveadmReachable: rest.isDoveadmReachable,
      attempts: rest.attempts,
      load: null,
      memory: aMemory({
        backendId: `id-${host}`,
        verdict: rest.verdict,
        verdictSinceMs: ago(rest.verdictAgeSecs),
        offlineWrittenAtMicros: rest.isOfflineByUs ? writtenAtMicros : null,
        offlineSinceMs: ago(90),
        operatorHoldUntilMs: holdSecs === null ? null : ago(-holdSecs),
      }),
      operation:
        cause === null || rest.status === 'offline'
          ? null
          : anOperation({
              operationId: `operation-${host}`,
              cause,
              kind: cause === 'degraded' ? 'partialMove' : 'evacuation',
              state,
              stateReason: state === 'paused' ? rest.stateReason : null,
            }),
      features: feature === undefined ? {} : { BackendHealthAutoHandling: feature },
    };
  }
  const snapshotOf = (
    site: { state: (typeof FEATURE_STATES)[number] } & Partial<ClusterSnapshot>,
  ) =>
    aSnapshot({
      ...site,
      features: { ...ENABLED, BackendHealthAutoHandling: site.state },
      backends: (site.backends ?? []).map((facts) => mostRestrictive(facts, site.state)),
    });
  const mostRestrictive = (facts: BackendFacts, state: (typeof FEATURE_STATES)[number]) => {
    const own = facts.features.BackendHealthAutoHandling ?? state;
    const lowest = Math.min(FEATURE_STATES.indexOf(own), FEATURE_STATES.indexOf(state));
    return { ...facts, features: { BackendHealthAutoHandling: FEATURE_STATES[lowest] ?? own } };
  };
  const STARTS = ['evacuate', 'movePartially'];
  const acting = (decisions: readonly Decision[]) =>
    decisions.filter(({ kind, isDryRun }) => kind !== 'nothing' && !isDryRun);

  it('starts no move while protection holds, automation is paused or the site is blind', () => {
    holdsFor(
      sites,
      (site) => {
        const { decisions, catastrophe } = decideBackendHealth(snapshotOf(site));
        const isHeld =
          catastrophe.isHolding ||
          site.automation === 'paused' ||
          site.metrics.blindReason !== null;
        if (!isHeld) return;
        expect(decisions.filter(({ kind }) => STARTS.includes(kind))).toEqual([]);
      },
      1_000,
    );
  });

  it('acts on a Backend only where its feature is Enabled; pausing is all that is left else', () => {
    holdsFor(
      sites,
      (site) => {
        const snapshot = snapshotOf(site);
        for (const { kind, backendId } of acting(decideBackendHealth(snapshot).decisions)) {
          if (kind === 'pauseOperation' || kind === 'resumeOperation') continue;
          const facts = snapshot.backends.find(({ id }) => id === backendId);
          expect(facts?.features.BackendHealthAutoHandling).toBe('enabled');
        }
      },
      1_000,
    );
  });

  it('never starts anything on what an operator holds, has paused, or set offline', () => {
    holdsFor(
      sites,
      (site) => {
        const snapshot = snapshotOf(site);
        for (const { kind, backendId } of decideBackendHealth(snapshot).decisions) {
          const facts = snapshot.backends.find(({ id }) => id === backendId);
          if (facts === undefined || !STARTS.includes(kind)) continue;
          expect(facts.operation?.stateReason ?? null).not.toBe('ann: wait');
          expect(facts.memory?.operatorHoldUntilMs ?? 0).toBeLessThanOrEqual(NOW_MS);
          expect(facts.status).toBe('online');
        }
      },
      1_000,
    );
  });

  it('decides one thing a Backend at most that is carried out', () => {
    holdsFor(
      sites,
      (site) => {
        const acts = acting(decideBackendHealth(snapshotOf(site)).decisions);
        const ids = acts.map(({ backendId }) => backendId);
        expect(ids).toEqual([...new Set(ids)]);
      },
      1_000,
    );
  });

  it('does not depend on the order of the Backends', () => {
    holdsFor(
      sites,
      (site) => {
        const normal = ({ decisions }: ReturnType<typeof decideBackendHealth>) =>
          decisions.map((each) => JSON.stringify(each)).sort();
        const snapshot = snapshotOf(site);
        const turned = { ...snapshot, backends: [...snapshot.backends].reverse() };
        expect(normal(decideBackendHealth(turned))).toEqual(normal(decideBackendHealth(snapshot)));
      },
      1_000,
    );
  });

  it('answers for every Backend that it may decide about', () => {
    holdsFor(
      sites,
      (site) => {
        const { decisions } = decideBackendHealth(snapshotOf(site));
        if (decisions.some(({ hosts, kind }) => hosts.length === 0 && kind === 'nothing')) return;
        const named = new Set(decisions.filter((d) => d.detail !== 'site').flatMap((d) => d.hosts));
        expect(named.size).toBe(site.backends.length);
      },
      1_000,
    );
  });
});
