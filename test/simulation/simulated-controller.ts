/** The controller of a simulated site: each task reads a snapshot, decides by the real policies, remembers, acts. */
import type { MoveRequest } from '../../workflows/contract.ts';
import type {
  AutomationState,
  BackendFacts,
  BackendMemory,
  ClusterSnapshot,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision, RecordedDecision, TaskName } from '../../workflows/domain/decision.ts';
import type { FeatureSetting, FeatureState } from '../../workflows/domain/feature-flag.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import { lookBacksOf, type PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { assessHealth } from '../../workflows/policy/assess-health.ts';
import {
  decideBackendHealth,
  type HealthDecisions,
} from '../../workflows/policy/decide-backend-health.ts';
import { decideDrains } from '../../workflows/policy/decide-drains.ts';
import { decideFollowUp } from '../../workflows/policy/decide-follow-ups.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { differingFeatures, resolveFeatures } from '../../workflows/policy/resolve-feature.ts';
import type { TargetCandidate } from '../../workflows/policy/select-targets.ts';
import { requestOf } from '../../workflows/request-of.ts';
import { lengthen } from './look-back.ts';
import type { SimulatedBackend } from './simulated-backend.ts';
import { SimulatedMover, type MoverWorld } from './simulated-mover.ts';
import type { SimulatedSite } from './simulated-site.ts';

const HOUR_MS = 3_600_000;
const HOLD_MS = 3_600_000;
const CYCLE_SECS = 60;
/** Schedules do not fire all at once. */
const PHASES = { health: 0, rebalance: 20, drains: 40 } as const;
const SITE_ID = 'site-north';

/** Who watches: measures and invariants. */
export interface Observer {
  onCycle(task: TaskName, snapshot: ClusterSnapshot, decisions: readonly Decision[]): void;
  onHealth(health: HealthDecisions): void;
  onRound(request: MoveRequest, quotas: readonly { backendId: string; users: number }[]): void;
  onMove(request: MoveRequest, user: number, source: number, target: number): void;
  onEnd(operation: Operation): void;
  onStatus(host: string, status: 'online' | 'offline'): void;
}

export class SimulatedController implements MoverWorld {
  readonly site: SimulatedSite;
  readonly settings: PolicySettings;
  readonly movers: readonly SimulatedMover[];
  automation: AutomationState = 'running';
  flags: FeatureSetting[];
  private readonly memories = new Map<string, BackendMemory>();
  private readonly windowsSecs: readonly number[];
  private readonly observer: Observer;
  private critical: readonly string[] = [];
  private decided = 0;

  constructor(
    site: SimulatedSite,
    options: { settings: PolicySettings; flags: FeatureSetting[]; observer: Observer },
  ) {
    this.site = site;
    this.settings = options.settings;
    this.flags = options.flags;
    this.observer = options.observer;
    this.windowsSecs = lengthen(lookBacksOf(options.settings), site.shape.scrapeIntervalSecs);
    this.movers = site.backends.map((backend) => new SimulatedMover(backend, this));
  }

  tick(): void {
    for (const mover of this.movers) mover.tick();
    this.checkUserMoves();
    const secs = this.site.nowSecs % CYCLE_SECS;
    if (secs === PHASES.health || this.isWoken()) this.checkHealth();
    if (secs === PHASES.rebalance) this.rebalance();
    if (secs === PHASES.drains) this.drain();
  }

  memory(host: string): BackendMemory | null {
    return this.memories.get(this.site.backend(host).id) ?? null;
  }

  mover(name: string): SimulatedMover {
    const found = this.movers[this.site.indexOf(name)];
    if (found === undefined) throw new Error(`no mover of ${name}`);
    return found;
  }

  /** As `readSnapshot` of the activities makes it. */
  snapshot(): ClusterSnapshot {
    const { site } = this;
    const place = { siteId: SITE_ID, backendId: null, nowMs: site.nowMs };
    const flags = { isTableMissing: false, settings: this.flags };
    const features = resolveFeatures(flags, place);
    const view = site.view();
    const isExportOff = features.MetricsExport === 'disabled';
    return {
      takenAtMs: site.nowMs,
      siteId: SITE_ID,
      siteName: 'north',
      isOwner: true,
      automation: this.automation,
      features,
      settings: this.settings,
      metrics: isExportOff ? { ...view, blindReason: 'MetricsExportOff' } : view,
      backends: site.backends.map((backend, index) => ({
        ...this.factsOf(backend, index, view.blindReason === 'PrometheusUnreachable'),
        features: differingFeatures(flags, { ...place, backendId: backend.id }, features),
      })),
    };
  }

  candidates(sourceId: string): TargetCandidate[] {
    const open = this.movers.map((mover) => mover.operation());
    return this.site.backends.map((backend, index): TargetCandidate => ({
      backendId: backend.id,
      host: backend.host,
      status: backend.status,
      loadFactor: backend.loadFactor,
      verdict: this.memories.get(backend.id)?.verdict ?? 'unknown',
      isDoveadmReachable: backend.id !== sourceId && !backend.isDoveadmSilent,
      isBeingEmptied: ['evacuation', 'drain'].includes(open[index]?.kind ?? ''),
      userCount: this.site.crowd.count(index),
      inflow: this.movers
        .flatMap((mover) => mover.chunksInFlight())
        .filter(({ targetId }) => targetId === backend.id)
        .reduce((sum, { remaining }) => sum + remaining, 0),
    }));
  }

  holdOf({ cause, sourceId }: MoveRequest): string | null {
    if (cause === 'operator') return null;
    if (this.automation === 'paused') return 'AutomationPaused';
    if (cause === 'drain') return null;
    const feature = cause === 'rebalance' ? 'BackendLoadBalancing' : 'BackendHealthAutoHandling';
    const place = { siteId: SITE_ID, backendId: sourceId, nowMs: this.site.nowMs };
    const states = resolveFeatures({ isTableMissing: false, settings: this.flags }, place);
    return states[feature] === 'enabled' ? null : 'FeatureDisabled';
  }

  onRound(request: MoveRequest, quotas: readonly { backendId: string; users: number }[]): void {
    this.observer.onRound(request, quotas);
  }

  onMove(request: MoveRequest, user: number, source: number, target: number): void {
    this.observer.onMove(request, user, source, target);
  }

  onEnd(operation: Operation): void {
    this.observer.onEnd(operation);
  }

  changeStatus(backend: SimulatedBackend, status: 'online' | 'offline'): void {
    if (backend.status === status) return;
    this.site.setStatus(backend, status);
    const nowMs = this.site.nowMs;
    const micros = backend.statusWrittenAtMicros;
    if (status === 'offline') {
      this.remember(backend.id, { offlineWrittenAtMicros: micros, offlineSinceMs: nowMs });
    } else {
      const former = this.memories.get(backend.id)?.returnedAtMs ?? [];
      const recent = former.filter((ms) => nowMs - ms < HOUR_MS).slice(-12);
      const none = { offlineWrittenAtMicros: null, offlineSinceMs: null };
      this.remember(backend.id, { ...none, returnedAtMs: [...recent, nowMs] });
    }
    this.observer.onStatus(backend.host, status);
  }

  holdAutomation(backend: SimulatedBackend): void {
    this.remember(backend.id, { operatorHoldUntilMs: this.site.nowMs + HOLD_MS });
  }

  private factsOf(
    backend: SimulatedBackend,
    index: number,
    isUnseen: boolean,
  ): Omit<BackendFacts, 'features'> {
    const { scrapeIntervalSecs, noise } = this.site.shape;
    const operation = this.movers[index]?.operation() ?? null;
    return {
      id: backend.id,
      host: backend.host,
      status: backend.status,
      loadFactor: backend.loadFactor,
      statusWrittenAtMicros: backend.statusWrittenAtMicros,
      userCount: this.site.crowd.count(index),
      isDoveadmReachable: !backend.isDoveadmSilent,
      attempts: isUnseen ? [] : backend.attempts.windows(this.windowsSecs),
      load: isUnseen ? null : backend.load({ scrapeIntervalSecs, noise, random: this.site.random }),
      memory: this.memories.get(backend.id) ?? null,
      operation: operation === null ? null : toRunning(operation),
    };
  }

  /** `cache_metrics`: true where a Backend just turned critical. */
  private isWoken(): boolean {
    if (this.site.view().blindReason !== null) return false;
    const critical = this.site.backends
      .filter(({ attempts }) => attempts.isSuspect)
      .filter(({ attempts }) => {
        const windows = attempts.windows(this.windowsSecs);
        return assessHealth(windows, this.settings).verdict === 'critical';
      })
      .map(({ host }) => host);
    const isNew = critical.some((host) => !this.critical.includes(host));
    this.critical = critical;
    return isNew;
  }

  private checkHealth(): void {
    const snapshot = this.snapshot();
    const answer = decideBackendHealth(snapshot);
    this.observer.onCycle('check_backend_health', snapshot, answer.decisions);
    this.observer.onHealth(answer);
    for (const { backendId, verdict, sinceMs } of answer.health) {
      const former = this.memories.get(backendId)?.judgedAtMs ?? null;
      const judgedAtMs = verdict === 'unknown' ? former : snapshot.takenAtMs;
      this.remember(backendId, { verdict, verdictSinceMs: sinceMs, judgedAtMs });
    }
    for (const decision of this.record(answer.decisions)) this.actOnHealth(snapshot, decision);
  }

  private actOnHealth(snapshot: ClusterSnapshot, decision: RecordedDecision): void {
    const backend = this.site.backend(decision.hosts[0] ?? '');
    const mover = this.mover(backend.id);
    switch (decision.kind) {
      case 'evacuate':
        mover.request(
          requestOf(snapshot, decision, { kind: 'evacuation', cause: 'health', endsOffline: true }),
        );
        return;
      case 'movePartially': {
        const { answer } = mover.request(
          requestOf(snapshot, decision, {
            kind: 'partialMove',
            cause: 'degraded',
            maxUsers: decision.numbers['usersToMove'] ?? 0,
            stepRatio: 1,
            minLastMovedSecs: this.settings.failureCoolTimeSecs,
          }),
        );
        if (answer === 'refused') return;
        this.remember(backend.id, { lastPartialMoveAtMs: snapshot.takenAtMs });
        return;
      }
      case 'setOnline':
        this.changeStatus(backend, 'online');
        backend.isAcceptingNewUsers = true;
        return;
      case 'setOffline':
        this.changeStatus(backend, 'offline');
        mover.end('done', 'check_backend_health');
        return;
      case 'endEvacuation':
        mover.end('done', 'check_backend_health');
        return;
      case 'pauseOperation':
        mover.pause(decision.reason, true);
        return;
      case 'resumeOperation':
        mover.resume();
        return;
      default:
        throw new Error(`a health check does not ${decision.kind}`);
    }
  }

  private rebalance(): void {
    const snapshot = this.snapshot();
    const { decisions } = planRebalance(snapshot);
    this.observer.onCycle('rebalance_sites', snapshot, decisions);
    for (const each of this.record(decisions)) {
      const targetId = each.detail ?? '';
      const request = requestOf(snapshot, each, {
        kind: 'rebalance',
        cause: 'rebalance',
        targetIds: [targetId],
        maxUsers: each.numbers['users'] ?? 0,
        stepRatio: 1,
        minLastMovedSecs: this.settings.loadBalanceMinCoolTimeSecs,
      });
      if (this.mover(request.sourceId).request(request).answer === 'refused') continue;
      for (const id of [request.sourceId, targetId]) {
        this.remember(id, { lastBalancedAtMs: snapshot.takenAtMs });
      }
    }
  }

  private drain(): void {
    const snapshot = this.snapshot();
    const decisions = decideDrains(snapshot);
    this.observer.onCycle('evacuate_zero_load_factor_hosts', snapshot, decisions);
    for (const decision of this.record(decisions)) {
      const mover = this.mover(decision.hosts[0] ?? '');
      if (decision.kind === 'endDrain') mover.end('done', decision.task);
      else mover.request(requestOf(snapshot, decision, { kind: 'drain', cause: 'drain' }));
    }
  }

  private checkUserMoves(): void {
    for (const mover of this.movers) {
      const operation = mover.operation();
      if (operation === null) continue;
      const open = { operation, isMoverRunning: true, chunks: mover.chunksInFlight() };
      const followUp = decideFollowUp(open, this.settings, this.site.nowMs);
      if (followUp === null) continue;
      mover.inbox.retryChunks = followUp.retryChunks;
      mover.inbox.forceChunks = followUp.forceChunks;
    }
  }

  /** What `recordDecisions` answers: only what is to be acted upon. */
  private record(decisions: readonly Decision[]): RecordedDecision[] {
    return decisions
      .filter(({ kind, isDryRun }) => kind !== 'nothing' && !isDryRun)
      .map((decision) => {
        this.decided += 1;
        const atMs = this.site.nowMs;
        const decisionId = `decision-${String(this.decided).padStart(6, '0')}`;
        const recorded = { siteName: 'north', snapshotId: '', recordedAtMs: atMs, repeats: 0 };
        return { ...decision, ...recorded, decisionId, lastRepeatedAtMs: atMs };
      });
  }

  private remember(backendId: string, fields: Partial<BackendMemory>): void {
    const former = this.memories.get(backendId) ?? newMemory(backendId);
    this.memories.set(backendId, { ...former, ...fields });
  }
}

/** As the controller's store reads a row whose columns are not written yet. */
function newMemory(backendId: string): BackendMemory {
  return {
    backendId,
    verdict: 'unknown',
    verdictSinceMs: 0,
    judgedAtMs: null,
    lastPartialMoveAtMs: null,
    lastBalancedAtMs: null,
    offlineWrittenAtMicros: null,
    offlineSinceMs: null,
    returnedAtMs: [],
    operatorHoldUntilMs: null,
  };
}

function toRunning(operation: Operation): BackendFacts['operation'] {
  const { operationId, kind, cause, state, stateReason, counts, createdAtMs, updatedAtMs } =
    operation;
  const { remaining } = counts;
  return { operationId, kind, cause, state, stateReason, remaining, createdAtMs, updatedAtMs };
}

export function flagEverywhere(state: FeatureState): FeatureSetting[] {
  return (['MetricsExport', 'BackendHealthAutoHandling', 'BackendLoadBalancing'] as const).map(
    (feature) => ({
      feature,
      level: 'global',
      targetId: '00000000-0000-0000-0000-000000000000',
      state,
      setBy: null,
      reason: null,
      setAtMs: null,
      expiresAtMs: null,
      formerState: null,
    }),
  );
}
