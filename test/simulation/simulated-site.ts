/** A site in virtual time: users with Zipf loads, Backends, and the real balancing policy in closed loop. */
import { readConfig } from '../../platform/config.ts';
import type { BackendFacts } from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { aBackend, aMemory, aSnapshot, NOW_MS } from '../support/cluster-builders.ts';
import { seededRandom, type Random } from './random.ts';

export const DEFAULTS: PolicySettings = readConfig({ CLUSTER_SITE: 'north' }).policy;
const CYCLE_MS = 60_000;

export interface SimulationOptions {
  readonly seed: number;
  readonly backends: number;
  readonly users: number;
  /** Load of the first Backend at the beginning, in means of the others. */
  readonly hotFactor: number;
  /** Relative error of each measurement, for noise. */
  readonly noise: number;
}

export interface SimulatedMove {
  readonly atMs: number;
  readonly source: number;
  readonly target: number;
  readonly users: readonly number[];
}

export class SimulatedSite {
  readonly moves: SimulatedMove[] = [];
  readonly homes: number[] = [];
  readonly weights: number[] = [];
  readonly lastMovedMs: number[] = [];
  private readonly lastBalancedMs: (number | null)[];
  private readonly random: Random;
  private readonly totals: number[] = [];
  private readonly counts: number[] = [];
  private nowMs = NOW_MS;

  private readonly options: SimulationOptions;

  constructor(options: SimulationOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.lastBalancedMs = Array.from({ length: options.backends }, () => null);
    this.placeUsers();
  }

  /** Zipf with exponent 0.7; users go to the Backend that is furthest below its wanted share. */
  private placeUsers(): void {
    const { users, backends, hotFactor } = this.options;
    const wanted = Array.from({ length: backends }, (_, index) => (index === 0 ? hotFactor : 1));
    const loads = wanted.map(() => 0);
    const order = Array.from({ length: users }, (_, rank) => (rank + 1) ** -0.7);
    shuffle(order, this.random);
    for (const weight of order) {
      let best = 0;
      for (let each = 1; each < backends; each += 1) {
        const isFurther =
          (loads[each] ?? 0) / (wanted[each] ?? 1) < (loads[best] ?? 0) / (wanted[best] ?? 1);
        if (isFurther) best = each;
      }
      this.weights.push(weight);
      this.homes.push(best);
      this.lastMovedMs.push(Number.NEGATIVE_INFINITY);
      loads[best] = (loads[best] ?? 0) + weight;
      this.counts[best] = (this.counts[best] ?? 0) + 1;
    }
    this.totals.push(...loads);
  }

  loads(): readonly number[] {
    return this.totals;
  }

  /** Standard deviation / mean of the true loads. */
  spread(): number {
    const loads = this.loads();
    const mean = loads.reduce((a, b) => a + b, 0) / loads.length;
    const variance = loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / loads.length;
    return Math.sqrt(variance) / mean;
  }

  /** One minute of the site; answers what was decided. */
  cycle(): Decision {
    this.nowMs += CYCLE_MS;
    const snapshot = aSnapshot({
      takenAtMs: this.nowMs,
      settings: DEFAULTS,
      backends: this.facts(),
    });
    const { decision } = planRebalance(snapshot);
    if (decision.kind === 'rebalance') this.carryOut(decision);
    return decision;
  }

  private facts(): BackendFacts[] {
    const loads = this.loads();
    const measured = (load: number): number =>
      load * (1 + this.options.noise * (2 * this.random() - 1));
    return loads.map((load, index) =>
      aBackend({
        host: hostOf(index),
        id: `id-${hostOf(index)}`,
        userCount: this.counts[index] ?? 0,
        memory: aMemory({
          backendId: `id-${hostOf(index)}`,
          lastBalancedAtMs: this.lastBalancedMs[index] ?? null,
        }),
        load: {
          cpu: measured(load),
          memoryBytes: measured(load) * 1e6,
          metacacheBytes: measured(load) * 1e7,
          samples: 10_000,
        },
      }),
    );
  }

  /** Users in hash order, none within the cool time: what `choose-users` and the ledger amount to. */
  private carryOut(decision: Decision): void {
    const source = indexOf(decision.hosts[0] ?? '');
    const target = indexOf(decision.hosts[1] ?? '');
    const coolMs = DEFAULTS.loadBalanceMinCoolTimeSecs * 1000;
    const movable = this.homes.flatMap((home, user) =>
      home === source && this.nowMs - (this.lastMovedMs[user] ?? 0) >= coolMs ? [user] : [],
    );
    shuffle(movable, this.random);
    const users = movable.slice(0, decision.numbers['users'] ?? 0);
    for (const user of users) {
      const weight = this.weights[user] ?? 0;
      this.homes[user] = target;
      this.totals[source] = (this.totals[source] ?? 0) - weight;
      this.totals[target] = (this.totals[target] ?? 0) + weight;
      this.counts[source] = (this.counts[source] ?? 0) - 1;
      this.counts[target] = (this.counts[target] ?? 0) + 1;
      this.lastMovedMs[user] = this.nowMs;
    }
    this.lastBalancedMs[source] = this.nowMs;
    this.lastBalancedMs[target] = this.nowMs;
    this.moves.push({ atMs: this.nowMs, source, target, users });
  }
}

function hostOf(index: number): string {
  return `mail${String(index + 1).padStart(2, '0')}`;
}

function indexOf(host: string): number {
  return Number(host.slice(4)) - 1;
}

function shuffle(items: number[], random: Random): void {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const kept = items[index] ?? 0;
    items[index] = items[other] ?? 0;
    items[other] = kept;
  }
}
