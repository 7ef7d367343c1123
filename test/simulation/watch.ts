/** Watches a simulated controller: what it did, in figures, and what it never may do. */
import type { MoveRequest } from '../../workflows/contract.ts';
import type { ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision, TaskName } from '../../workflows/domain/decision.ts';
import type { Operation, OperationCause } from '../../workflows/domain/operation.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import {
  decideBackendHealth,
  type HealthDecisions,
} from '../../workflows/policy/decide-backend-health.ts';
import { decideDrains } from '../../workflows/policy/decide-drains.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { TICK_SECS } from './look-back.ts';
import type { Observer, SimulatedController } from './simulated-controller.ts';
import type { SimulatedSite } from './simulated-site.ts';

const HOUR_MS = 3_600_000;
const FAILING_SHARE = 0.1;

export interface LoggedDecision {
  readonly minute: number;
  readonly task: TaskName;
  readonly decision: Decision;
}

export interface Measures {
  /** Cycles of all tasks. */
  cycles: number;
  /** Users moved, by cause; a user counts as often as it is moved. */
  readonly moves: Record<OperationCause, number>;
  /** Moves of users who had been moved within the hour before; `balanced`: both times to balance. */
  readonly again: { all: number; balanced: number };
  catastropheSecs: number;
  /** Seconds that an average user lived on a Backend that failed more than one time in ten. */
  secsOnFailing: number;
  readonly statusChanges: string[];
}

export class Watch implements Observer {
  readonly log: LoggedDecision[] = [];
  readonly violations: string[] = [];
  readonly ended: Operation[] = [];
  readonly measures: Measures = {
    cycles: 0,
    moves: { health: 0, operator: 0, degraded: 0, drain: 0, foreign: 0, rebalance: 0 },
    again: { all: 0, balanced: 0 },
    catastropheSecs: 0,
    secsOnFailing: 0,
    statusChanges: [],
  };
  private readonly site: SimulatedSite;
  private readonly settings: PolicySettings;
  private readonly balancedMs = new Map<number, number>();
  private isCatastrophe = false;

  constructor(site: SimulatedSite, settings: PolicySettings) {
    this.site = site;
    this.settings = settings;
  }

  tick(): void {
    const { site, measures } = this;
    if (this.isCatastrophe) measures.catastropheSecs += TICK_SECS;
    let users = 0;
    for (const [index, { failing }] of site.backends.entries()) {
      if (failing > FAILING_SHARE) users += site.crowd.count(index);
    }
    measures.secsOnFailing += (TICK_SECS * users) / site.crowd.size;
  }

  onCycle(task: TaskName, snapshot: ClusterSnapshot, decisions: readonly Decision[]): void {
    this.measures.cycles += 1;
    for (const decision of decisions) this.log.push({ minute: this.site.minute, task, decision });
    this.checkRoles(decisions);
    this.checkHolds(snapshot, decisions);
    if (decisions.some(({ kind }) => kind !== 'nothing'))
      this.checkReplay(task, snapshot, decisions);
  }

  onHealth({ catastrophe }: HealthDecisions): void {
    this.isCatastrophe = catastrophe.isHolding;
  }

  onRound(request: MoveRequest, quotas: readonly { backendId: string; users: number }[]): void {
    for (const { backendId, users } of quotas) {
      if (users > 0) this.checkTarget(request, backendId);
    }
  }

  onMove(request: MoveRequest, user: number): void {
    const { measures, settings, site } = this;
    measures.moves[request.cause] += 1;
    const movedAtMs = site.crowd.movedAtMs(user);
    const agoMs = movedAtMs === null ? Number.POSITIVE_INFINITY : site.nowMs - movedAtMs;
    if (agoMs < HOUR_MS) measures.again.all += 1;
    const coolSecs = {
      rebalance: settings.loadBalanceMinCoolTimeSecs,
      degraded: settings.failureCoolTimeSecs,
      health: 0,
      drain: 0,
      operator: 0,
      foreign: 0,
    }[request.cause];
    if (agoMs < coolSecs * 1000) {
      this.complain(`user ${user} moved by ${request.cause} after ${agoMs / 1000} s`);
    }
    if (request.cause !== 'rebalance') return;
    const balancedMs = this.balancedMs.get(user) ?? Number.NEGATIVE_INFINITY;
    if (site.nowMs - balancedMs < HOUR_MS) measures.again.balanced += 1;
    this.balancedMs.set(user, site.nowMs);
  }

  onEnd(operation: Operation): void {
    this.ended.push(operation);
  }

  onStatus(host: string, status: 'online' | 'offline'): void {
    this.measures.statusChanges.push(`${host} ${status}`);
    if (status === 'offline' && this.isCatastrophe) {
      const held = this.log.findLast(({ decision }) => decision.kind === 'setOffline');
      const isHeldEmpty = held?.decision.hosts.includes(host) === true;
      if (!isHeldEmpty) this.complain(`${host} set offline although protection holds`);
    }
    const users = this.site.crowd.count(this.site.indexOf(host));
    if (status === 'offline' && users > 0) this.complain(`${host} set offline with ${users} users`);
  }

  /** Decisions other than "nothing", as `kind reason hosts`, DryRun marked. */
  acts(fromMin = 0): string[] {
    return this.log
      .filter(({ minute, decision }) => minute >= fromMin && decision.kind !== 'nothing')
      .map(({ decision }) => say(decision));
  }

  of(...kinds: readonly Decision['kind'][]): LoggedDecision[] {
    return this.log.filter(({ decision }) => kinds.includes(decision.kind));
  }

  private complain(what: string): void {
    this.violations.push(`minute ${this.site.minute.toFixed(1)}: ${what}`);
  }

  /** No Backend gives and takes in the same cycle. */
  private checkRoles(decisions: readonly Decision[]): void {
    const pairs = decisions.filter(({ kind, isDryRun }) => kind === 'rebalance' && !isDryRun);
    const sources = pairs.map(({ hosts }) => hosts[0]);
    const targets = pairs.map(({ hosts }) => hosts[1]);
    for (const host of sources) {
      if (targets.includes(host)) this.complain(`${host ?? ''} is source and target`);
    }
  }

  private checkHolds(snapshot: ClusterSnapshot, decisions: readonly Decision[]): void {
    const acts = decisions.filter(({ kind, isDryRun }) => kind !== 'nothing' && !isDryRun);
    const starting = acts.filter(({ kind }) =>
      ['evacuate', 'movePartially', 'rebalance', 'drain'].includes(kind),
    );
    const automatic = starting.filter(({ kind }) => kind !== 'drain');
    if (snapshot.automation === 'paused' && starting.length > 0) {
      this.complain(`acted while automation is paused: ${starting.map(say).join(', ')}`);
    }
    if (snapshot.metrics.blindReason !== null && automatic.length > 0) {
      this.complain(`acted while blind: ${automatic.map(say).join(', ')}`);
    }
    const isHolding = decisions.some(
      ({ reason, hosts }) => reason === 'CatastropheProtection' && hosts.length > 1,
    );
    if (isHolding && starting.length > 0) {
      this.complain(`acted in a catastrophe: ${starting.map(say).join(', ')}`);
    }
  }

  /** A decision is a function of its snapshot as stored. */
  private checkReplay(
    task: TaskName,
    snapshot: ClusterSnapshot,
    decisions: readonly Decision[],
  ): void {
    const stored = JSON.parse(JSON.stringify(snapshot)) as ClusterSnapshot;
    const again =
      task === 'check_backend_health'
        ? decideBackendHealth(stored).decisions
        : task === 'rebalance_sites'
          ? planRebalance(stored).decisions
          : decideDrains(stored);
    if (JSON.stringify(again) !== JSON.stringify(decisions))
      this.complain(`${task} is not replayed`);
  }

  private checkTarget(request: MoveRequest, targetId: string): void {
    const target = this.site.at(this.site.indexOf(targetId));
    const why: string[] = [];
    if (target.status !== 'online') why.push(target.status);
    if (target.loadFactor === 0) why.push('draining');
    if (target.isDoveadmSilent) why.push('unreachable');
    if (this.judged(target.host) !== null) why.push('failing');
    if (target.id === request.sourceId) why.push('the source itself');
    if (why.length > 0) this.complain(`${request.kind} to ${target.host}: ${why.join(', ')}`);
  }

  controller: SimulatedController | null = null;

  /** As the controller last judged it; null: not failing. */
  private judged(host: string): 'degraded' | 'critical' | null {
    const verdict = this.controller?.memory(host)?.verdict;
    return verdict === 'degraded' || verdict === 'critical' ? verdict : null;
  }
}

export function say({ kind, reason, hosts, isDryRun }: Decision): string {
  return `${isDryRun ? 'dry ' : ''}${kind} ${reason} ${hosts.join('+')}`;
}
