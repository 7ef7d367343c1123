/** Small builders for the facts of a decision: only what a test is about needs to be said. */
import type {
  BackendFacts,
  BackendMemory,
  ClusterSnapshot,
  RunningOperation,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { AttemptCounts, AttemptWindow } from '../../workflows/domain/metrics.ts';
import { lookBacksOf } from '../../workflows/domain/policy-settings.ts';
import { labSettings } from './lab-settings.ts';

/** The moment of every snapshot here unless a test says otherwise. */
export const NOW_MS = 1_800_000_000_000;
const LONG_AGO_MICROS = (NOW_MS - 86_400_000) * 1000;

export const settings = labSettings();
export const LOOK_BACKS = lookBacksOf(settings);

export function counts(succeeded: number, failed: number): AttemptCounts {
  return { succeeded, failed };
}

/** One look-back with logins alone. */
export function logins(windowSecs: number, succeeded: number, failed: number): AttemptWindow {
  return { windowSecs, logins: counts(succeeded, failed), deliveries: counts(0, 0) };
}

export interface Stretch {
  readonly secs: number;
  /** Logins a second, and the share of them that failed. */
  readonly perSec: number;
  readonly failed: number;
}

/** What the proxies counted over stretches of time, the newest last; before the first: nothing. */
export function history(...stretches: readonly Stretch[]): AttemptWindow[] {
  return LOOK_BACKS.map((windowSecs) => {
    let left = windowSecs;
    let succeeded = 0;
    let failed = 0;
    for (const stretch of [...stretches].reverse()) {
      const attempts = Math.min(left, stretch.secs) * stretch.perSec;
      succeeded += attempts * (1 - stretch.failed);
      failed += attempts * stretch.failed;
      left = Math.max(0, left - stretch.secs);
    }
    return logins(windowSecs, succeeded, failed);
  });
}

export const serving = history({ secs: 300, perSec: 4, failed: 0 });
export const failing = history({ secs: 300, perSec: 4, failed: 1 });
export const struggling = history({ secs: 300, perSec: 4, failed: 0.3 });
export const silent = history();

export function aBackend(fields: Partial<BackendFacts> = {}): BackendFacts {
  const host = fields.host ?? 'mail1';
  return {
    id: `id-${host}`,
    host,
    status: 'online',
    loadFactor: 100,
    statusWrittenAtMicros: LONG_AGO_MICROS,
    userCount: 500,
    isDoveadmReachable: true,
    attempts: serving,
    load: null,
    memory: null,
    operation: null,
    features: {},
    ...fields,
  };
}

export function aMemory(fields: Partial<BackendMemory> = {}): BackendMemory {
  return {
    backendId: 'id-mail1',
    verdict: 'healthy',
    verdictSinceMs: NOW_MS - 3_600_000,
    judgedAtMs: NOW_MS - 10_000,
    lastPartialMoveAtMs: null,
    lastBalancedAtMs: null,
    offlineWrittenAtMicros: null,
    offlineSinceMs: null,
    returnedAtMs: [],
    operatorHoldUntilMs: null,
    ...fields,
  };
}

/** A health evacuation that runs, unless said otherwise. */
export function anOperation(fields: Partial<RunningOperation> = {}): RunningOperation {
  return {
    operationId: 'operation-1',
    kind: 'evacuation',
    cause: 'health',
    state: 'running',
    stateReason: null,
    remaining: 300,
    createdAtMs: NOW_MS - 60_000,
    updatedAtMs: NOW_MS - 1_000,
    ...fields,
  };
}

/** A Backend that we set offline `secsAgo` seconds ago. */
export function offlineByUs(secsAgo: number, fields: Partial<BackendFacts> = {}): BackendFacts {
  const sinceMs = NOW_MS - secsAgo * 1000;
  const memory = aMemory({ offlineWrittenAtMicros: sinceMs * 1000, offlineSinceMs: sinceMs });
  const status = { status: 'offline', statusWrittenAtMicros: sinceMs * 1000 } as const;
  return aBackend({ ...status, userCount: 0, attempts: silent, memory, ...fields });
}

export function aSnapshot(fields: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
  return {
    takenAtMs: NOW_MS,
    siteId: 'site-north',
    siteName: 'north',
    isOwner: true,
    automation: 'running',
    features: {
      MetricsExport: 'enabled',
      BackendHealthAutoHandling: 'enabled',
      BackendLoadBalancing: 'enabled',
    },
    settings,
    metrics: {
      blindReason: null,
      proxiesExpected: 2,
      proxiesSeen: 2,
      newestSampleMs: NOW_MS - 1_000,
      scrapeIntervalSecs: 1,
    },
    backends: fourBackends(),
    ...fields,
  };
}

/** mail1 to mail4, healthy; what a test is about is given by position. */
export function fourBackends(...given: readonly Partial<BackendFacts>[]): BackendFacts[] {
  return ['mail1', 'mail2', 'mail3', 'mail4'].map((host, index) =>
    aBackend({ ...given[index], host, id: `id-${host}` }),
  );
}

export const ENABLED = aSnapshot({ backends: [] }).features;
