/** A Backend as it is: what it serves, how loaded and how warm it is, and what is counted and exported of it. */
import type { BackendStatus } from '../../workflows/domain/backend.ts';
import type { BackendLoad } from '../../workflows/domain/metrics.ts';
import { NOW_MS } from '../support/cluster-builders.ts';
import { failingShare, type BackendFault } from './faults.ts';
import { LookBack, TICK_SECS, type Counted } from './look-back.ts';
import { eventsOf, failuresOf, normal, type Random } from './random.ts';

/** A user whose mail is not cached yet makes so much more work. */
const COLD_COST = 0.5;
/** Caches are filled, and those of users who left are dropped, within about so many seconds. */
const WARMING_SECS = 1_200;
const FORGETTING_SECS = 10_800;
const DELIVERIES_PER_LOGIN = 0.3;
/** Of both proxies together, in a tick. */
const PROBES = 2;
const LOAD_TICKS = 60 / TICK_SECS;
const MAX_SAMPLES_SECS = 86_400;

export interface TickOfBackend {
  readonly nowSecs: number;
  /** Work of its users, in units of one average user. */
  readonly weight: number;
  /** What users do at this time of the day, 1 on average. */
  readonly rhythm: number;
  readonly loginsPerUserSecs: number;
  readonly faults: readonly BackendFault[];
  readonly random: Random;
}

export class SimulatedBackend {
  status: BackendStatus = 'online';
  statusWrittenAtMicros = (NOW_MS - 86_400_000) * 1000;
  loadFactor = 100;
  isAcceptingNewUsers = true;
  readonly attempts = new LookBack();
  /** Share of what users try that fails, as it really is. */
  failing = 0;
  /** Work that its users make now, cold ones more, in average users. */
  demand = 0;
  isDead = false;
  isDoveadmSilent = false;
  isHanging = false;
  private warm: number;
  private stale = 0;
  private lastWeight: number;
  private samplesSecs: number;
  private readonly demands: number[] = [];
  readonly host: string;
  readonly id: string;
  /** Average users that it serves without failing. */
  readonly capacity: number;

  constructor(options: {
    readonly host: string;
    readonly capacity: number;
    readonly weight: number;
    /** How long its load has been measured. */
    readonly samplesSecs: number;
  }) {
    this.host = options.host;
    this.id = `id-${options.host}`;
    this.capacity = options.capacity;
    this.warm = options.weight;
    this.lastWeight = options.weight;
    this.samplesSecs = options.samplesSecs;
  }

  tick(given: TickOfBackend): void {
    const kinds = given.faults.map(({ kind }) => kind);
    this.isDead = kinds.includes('kill');
    this.isDoveadmSilent = this.isDead || kinds.includes('noDoveadm');
    this.isHanging = kinds.includes('hang');
    this.warmUp(given.weight);
    const cold = Math.max(0, given.weight - this.warm);
    const isServing = this.status === 'online';
    this.demand = isServing ? given.rhythm * (given.weight + COLD_COST * cold) : 0;
    this.remember(this.isDead ? 0 : this.demand);
    this.attempts.add(isServing ? this.serve(given) : this.answerProbes(given));
    const age = this.isDead ? -TICK_SECS : TICK_SECS;
    this.samplesSecs = Math.min(MAX_SAMPLES_SECS, Math.max(0, this.samplesSecs + age));
  }

  /** The process began anew, with empty caches. */
  restart(): void {
    this.warm = 0;
    this.stale = 0;
  }

  /** As Prometheus answers it: the mean of a minute; null: not exported. */
  load(options: { scrapeIntervalSecs: number; noise: number; random: Random }): BackendLoad | null {
    if (this.isDead) return null;
    const measured = (value: number): number =>
      Math.max(0, value * (1 + options.noise * normal(options.random)));
    const demand = this.demands.reduce((sum, each) => sum + each, 0) / this.demands.length;
    const resident = 0.5 * this.lastWeight + 0.5 * demand + 0.05 * this.capacity;
    return {
      cpu: measured(demand) * 1e-3,
      memoryBytes: measured(resident) * 1e6,
      metacacheBytes: measured(this.warm + this.stale) * 1e7,
      samples: Math.floor(this.samplesSecs / options.scrapeIntervalSecs),
    };
  }

  private serve({ nowSecs, weight, rhythm, faults, random, ...given }: TickOfBackend): Counted {
    let capacity = (this.capacity * this.loadFactor) / 100 || this.capacity;
    for (const fault of faults) if (fault.kind === 'brownOut') capacity *= fault.capacity;
    const overload = this.demand > capacity ? 1 - capacity / this.demand : 0;
    const chance = (what: 'logins' | 'deliveries'): number =>
      1 - (1 - failingShare(faults, what, nowSecs)) * (1 - overload);
    const mean = weight * rhythm * given.loginsPerUserSecs * TICK_SECS;
    const logins = eventsOf(mean, random);
    const deliveries = eventsOf(mean * DELIVERIES_PER_LOGIN, random);
    this.failing = Math.max(chance('logins'), chance('deliveries'));
    return count(logins, deliveries, chance, random);
  }

  private answerProbes({ nowSecs, faults, random }: TickOfBackend): Counted {
    this.failing = 0;
    if (this.status !== 'offline') return count(0, 0, () => 0, random);
    return count(PROBES, PROBES, (what) => failingShare(faults, what, nowSecs), random);
  }

  private warmUp(weight: number): void {
    const leftBehind = Math.max(0, this.warm - weight);
    this.stale = (this.stale + leftBehind) * Math.exp(-TICK_SECS / FORGETTING_SECS);
    this.warm -= leftBehind;
    this.warm += (weight - this.warm) * (1 - Math.exp(-TICK_SECS / WARMING_SECS));
    this.lastWeight = weight;
  }

  private remember(demand: number): void {
    this.demands.push(demand);
    if (this.demands.length > LOAD_TICKS) this.demands.shift();
  }
}

function count(
  logins: number,
  deliveries: number,
  chance: (what: 'logins' | 'deliveries') => number,
  random: Random,
): Counted {
  const loginsFailed = failuresOf(logins, chance('logins'), random);
  const deliveriesFailed = failuresOf(deliveries, chance('deliveries'), random);
  return {
    loginsSucceeded: logins - loginsFailed,
    loginsFailed,
    deliveriesSucceeded: deliveries - deliveriesFailed,
    deliveriesFailed,
  };
}
