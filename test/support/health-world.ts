/**
 * A site in closed loop on a virtual clock: users log in, Backends fail, `check_backend_health` decides,
 * and what it decides is done as movers would. No servers, no waiting.
 */
import type {
  BackendFacts,
  BackendMemory,
  ClusterSnapshot,
  RunningOperation,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import type { AttemptWindow } from '../../workflows/domain/metrics.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import { roundSize } from '../../workflows/policy/plan-evacuation.ts';
import {
  aMemory,
  anOperation,
  aSnapshot,
  counts,
  ENABLED,
  LOOK_BACKS,
  NOW_MS,
  settings,
} from './cluster-builders.ts';

/** Logins a second and user: 500 users make 4 a second. */
const LOGINS_PER_USER = 0.008;
const CHECK_INTERVAL_SECS = 10;
const PROBES_PER_SEC = 1;

interface SimulatedBackend {
  readonly host: string;
  users: number;
  /** Share of its logins that fail. */
  fault: number;
  status: 'online' | 'offline';
  statusWrittenAtMicros: number;
  memory: BackendMemory;
  operation: RunningOperation | null;
  originalUsers: number;
  /** Attempts of each past second, the newest last. */
  readonly seconds: { succeeded: number; failed: number }[];
}

export interface LoggedDecision {
  readonly atSecs: number;
  readonly text: string;
}

export class HealthWorld {
  readonly backends: readonly SimulatedBackend[];
  readonly log: LoggedDecision[] = [];
  features: ClusterSnapshot['features'] = ENABLED;
  isBlind = false;
  /** Seconds that one round of an evacuation takes. */
  roundSecs = 5;
  nowSecs = 0;
  private operations = 0;

  constructor(hosts = 4, users = 500) {
    this.backends = Array.from({ length: hosts }, (_, index) => ({
      host: `mail${index + 1}`,
      users,
      fault: 0,
      status: 'online' as const,
      statusWrittenAtMicros: (NOW_MS - 86_400_000) * 1000,
      memory: aMemory({ backendId: `id-mail${index + 1}` }),
      operation: null,
      originalUsers: users,
      seconds: [],
    }));
    this.run(310);
    this.log.length = 0;
  }

  backend(host: string): SimulatedBackend {
    const found = this.backends.find((each) => each.host === host);
    if (found === undefined) throw new Error(`no Backend ${host}`);
    return found;
  }

  /** 100 % of the logins of these Backends fail from now on. */
  deny(...hosts: string[]): void {
    for (const host of hosts) this.backend(host).fault = 1;
  }

  restore(...hosts: string[]): void {
    for (const host of hosts) this.backend(host).fault = 0;
  }

  run(secs: number): void {
    for (let second = 0; second < secs; second += 1) {
      this.nowSecs += 1;
      for (const backend of this.backends) this.count(backend);
      for (const backend of this.backends) this.move(backend);
      if (this.nowSecs % CHECK_INTERVAL_SECS === 0) this.check();
    }
  }

  /** What was decided since `atSecs`, as `kind reason host`; "nothing" is left out. */
  acts(atSecs = 0): string[] {
    return this.log
      .filter((each) => each.atSecs > atSecs && !each.text.startsWith('nothing'))
      .map(({ text }) => text);
  }

  private get nowMs(): number {
    return NOW_MS + this.nowSecs * 1000;
  }

  private count(backend: SimulatedBackend): void {
    const isOnline = backend.status === 'online';
    const attempts = isOnline ? backend.users * LOGINS_PER_USER : PROBES_PER_SEC;
    const failed = attempts * backend.fault;
    backend.seconds.push({ succeeded: attempts - failed, failed });
  }

  /** One round every few seconds; an empty Backend is set offline. */
  private move(backend: SimulatedBackend): void {
    const { operation } = backend;
    if (operation?.state !== 'running' || this.nowSecs % this.roundSecs !== 0) return;
    const users = roundSize(backend.originalUsers, settings.evacuateStepRatio, backend.users);
    const targets = this.backends.filter((each) => this.isTarget(each, backend));
    if (targets.length === 0) return;
    backend.users -= users;
    for (const target of targets) target.users += users / targets.length;
    if (operation.kind === 'partialMove') backend.operation = null;
    else if (backend.users === 0) this.setOffline(backend);
  }

  private isTarget(each: SimulatedBackend, source: SimulatedBackend): boolean {
    const { verdict } = each.memory;
    const isFailing = verdict === 'critical' || verdict === 'degraded';
    return each !== source && each.status === 'online' && !isFailing && each.operation === null;
  }

  private check(): void {
    const { decisions, health } = decideBackendHealth(this.snapshot());
    for (const { host, verdict, sinceMs } of health) {
      const backend = this.backend(host);
      backend.memory = { ...backend.memory, verdict, verdictSinceMs: sinceMs };
    }
    for (const decision of decisions) {
      const { kind, reason, hosts, isDryRun } = decision;
      const text = `${isDryRun ? 'dry ' : ''}${kind} ${reason} ${hosts.join('+')}`;
      this.log.push({ atSecs: this.nowSecs, text });
      if (kind !== 'nothing' && !isDryRun) this.act(decision);
    }
  }

  private act({ kind, reason, hosts }: Decision): void {
    const backend = this.backend(hosts[0] ?? '');
    const { operation } = backend;
    const become = (state: 'running' | 'paused', stateReason: string | null): void => {
      if (operation !== null) backend.operation = { ...operation, state, stateReason };
    };
    if (kind === 'evacuate') this.begin(backend, {});
    if (kind === 'movePartially') this.begin(backend, { kind: 'partialMove', cause: 'degraded' });
    if (kind === 'pauseOperation') become('paused', reason);
    if (kind === 'resumeOperation') become('running', null);
    if (kind === 'endEvacuation') backend.operation = null;
    if (kind === 'setOffline') this.setOffline(backend);
    if (kind === 'setOnline') this.setOnline(backend);
  }

  private begin(backend: SimulatedBackend, fields: Partial<RunningOperation>): void {
    this.operations += 1;
    const operationId = `operation-${this.operations}`;
    backend.originalUsers = backend.users;
    backend.operation = anOperation({ operationId, createdAtMs: this.nowMs, ...fields });
    const atMs = this.nowMs;
    if (fields.kind === 'partialMove')
      backend.memory = { ...backend.memory, lastPartialMoveAtMs: atMs };
  }

  private setOffline(backend: SimulatedBackend): void {
    const micros = this.nowMs * 1000;
    backend.operation = null;
    backend.status = 'offline';
    backend.statusWrittenAtMicros = micros;
    const offline = { offlineWrittenAtMicros: micros, offlineSinceMs: this.nowMs };
    backend.memory = { ...backend.memory, ...offline };
  }

  private setOnline(backend: SimulatedBackend): void {
    backend.status = 'online';
    backend.statusWrittenAtMicros = this.nowMs * 1000;
    const returnedAtMs = [...backend.memory.returnedAtMs, this.nowMs];
    const online = { offlineWrittenAtMicros: null, offlineSinceMs: null, returnedAtMs };
    backend.memory = { ...backend.memory, ...online };
  }

  private snapshot(): ClusterSnapshot {
    const { metrics } = aSnapshot();
    return aSnapshot({
      takenAtMs: this.nowMs,
      features: this.features,
      metrics: this.isBlind ? { ...metrics, blindReason: 'PrometheusUnreachable' } : metrics,
      backends: this.backends.map((backend) => this.factsOf(backend)),
    });
  }

  private factsOf(backend: SimulatedBackend): BackendFacts {
    const { host, status, statusWrittenAtMicros, users, memory, operation } = backend;
    return {
      id: `id-${host}`,
      host,
      status,
      statusWrittenAtMicros,
      loadFactor: 100,
      userCount: Math.round(users),
      isDoveadmReachable: true,
      attempts: windowsOf(backend),
      load: null,
      memory,
      operation,
      features: {},
    };
  }
}

function windowsOf({ seconds }: SimulatedBackend): AttemptWindow[] {
  return LOOK_BACKS.map((windowSecs) => {
    const recent = seconds.slice(-windowSecs);
    const succeeded = recent.reduce((sum, each) => sum + each.succeeded, 0);
    const failed = recent.reduce((sum, each) => sum + each.failed, 0);
    return { windowSecs, logins: counts(succeeded, failed), deliveries: counts(0, 0) };
  });
}
