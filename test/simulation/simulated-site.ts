/** A site in virtual time: its users, its Backends and what goes wrong with them. No controller. */
import type { BackendStatus } from '../../workflows/domain/backend.ts';
import type { MetricsView } from '../../workflows/domain/metrics.ts';
import { NOW_MS } from '../support/cluster-builders.ts';
import { Crowd } from './crowd.ts';
import { isActive, isDue, isOfBackend, type Fault, type SiteFault } from './faults.ts';
import { TICK_SECS } from './look-back.ts';
import { eventsOf, seededRandom, type Random } from './random.ts';
import { SimulatedBackend } from './simulated-backend.ts';

const DAY_SECS = 86_400;
const PROXIES = 2;

export interface SiteShape {
  readonly seed: number;
  readonly backends: number;
  readonly users: number;
  /** Load of each Backend at first, in proportion; left out: even. */
  readonly shares?: readonly number[];
  readonly loadFactors?: readonly number[];
  /** New users a day. */
  readonly arrivalsPerDay?: number;
  /** How far the load swings around its mean in a day, 0 to 1. */
  readonly swing?: number;
  /** Mean load that a Backend serves without failing, in fair shares. */
  readonly headroom?: number;
  /** Relative error of each load figure. */
  readonly noise?: number;
  readonly scrapeIntervalSecs?: number;
  readonly loginsPerUserSecs?: number;
  /** How long loads were measured before; left out: a day. */
  readonly samplesSecs?: number;
}

export class SimulatedSite {
  readonly backends: readonly SimulatedBackend[];
  readonly crowd: Crowd;
  readonly random: Random;
  readonly shape: Required<Omit<SiteShape, 'shares' | 'loadFactors'>>;
  nowSecs = 0;
  private readonly faults: readonly Fault[];

  /** @param hours for how long users may arrive */
  constructor(shape: SiteShape, faults: readonly Fault[] = [], hours = 24) {
    const given = {
      arrivalsPerDay: 0,
      swing: 0,
      headroom: 2,
      noise: 0,
      scrapeIntervalSecs: 15,
      loginsPerUserSecs: 0.01,
      samplesSecs: DAY_SECS,
      ...shape,
    };
    this.shape = given;
    this.faults = faults;
    this.random = seededRandom(shape.seed);
    const hosts = Array.from({ length: shape.backends }, (_, index) => hostOf(index));
    this.crowd = new Crowd({
      users: shape.users,
      arrivals: Math.ceil((given.arrivalsPerDay * hours * 3_600 * 1.5) / DAY_SECS),
      shares: shape.shares ?? hosts.map(() => 1),
      random: this.random,
    });
    const capacity = (given.headroom * shape.users) / shape.backends;
    this.backends = hosts.map((host, index) => {
      const weight = this.crowd.weight(index);
      const { samplesSecs } = given;
      const backend = new SimulatedBackend({ host, capacity, weight, samplesSecs });
      backend.loadFactor = shape.loadFactors?.[index] ?? 100;
      return backend;
    });
  }

  get nowMs(): number {
    return NOW_MS + this.nowSecs * 1000;
  }

  get minute(): number {
    return this.nowSecs / 60;
  }

  backend(host: string): SimulatedBackend {
    return this.at(this.indexOf(host));
  }

  at(index: number): SimulatedBackend {
    const found = this.backends[index];
    if (found === undefined) throw new Error(`no Backend ${String(index)}`);
    return found;
  }

  /** By host or id. */
  indexOf(name: string): number {
    const index = this.backends.findIndex(({ host, id }) => host === name || id === name);
    if (index < 0) throw new Error(`no Backend ${name}`);
    return index;
  }

  tick(): void {
    this.nowSecs += TICK_SECS;
    const rhythm = this.rhythm();
    for (const fault of this.faults) this.begin(fault);
    const active = this.faults.filter(isOfBackend).filter((each) => isActive(each, this.minute));
    for (const [index, backend] of this.backends.entries()) {
      const faults = active.filter(({ hosts }) => hosts.includes(backend.host));
      backend.tick({
        nowSecs: this.nowSecs,
        weight: this.crowd.weight(index),
        rhythm,
        loginsPerUserSecs: this.shape.loginsPerUserSecs,
        faults,
        random: this.random,
      });
    }
    this.letUsersArrive(rhythm);
  }

  setStatus(backend: SimulatedBackend, status: BackendStatus): void {
    if (backend.status === status) return;
    backend.status = status;
    backend.statusWrittenAtMicros = this.nowMs * 1000;
  }

  /** What Prometheus shows of the proxies. */
  view(): MetricsView {
    const kinds = this.faults
      .filter((each) => !isOfBackend(each) && isActive(each, this.minute))
      .map(({ kind }) => kind as SiteFault['kind']);
    const isGone = kinds.includes('noPrometheus');
    const isOneUnseen = kinds.includes('proxyUnseen');
    return {
      blindReason: isGone ? 'PrometheusUnreachable' : isOneUnseen ? 'TooFewProxies' : null,
      proxiesExpected: PROXIES,
      proxiesSeen: isGone ? 0 : isOneUnseen ? PROXIES - 1 : PROXIES,
      newestSampleMs: isGone ? null : this.nowMs - 2_000,
      scrapeIntervalSecs: isGone ? null : this.shape.scrapeIntervalSecs,
    };
  }

  /** Standard deviation / mean of users' work by load factor, over the Backends that are online. */
  spread(): number {
    const loads = this.backends.flatMap(({ status, loadFactor }, index) =>
      status === 'online' && loadFactor > 0 ? [this.crowd.weight(index) / loadFactor] : [],
    );
    const mean = loads.reduce((a, b) => a + b, 0) / loads.length;
    const variance = loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / loads.length;
    return Math.sqrt(variance) / mean;
  }

  /** Busiest at noon: 1 on average. */
  private rhythm(): number {
    const { swing } = this.shape;
    return swing === 0 ? 1 : 1 - swing * Math.cos((2 * Math.PI * this.nowSecs) / DAY_SECS);
  }

  private begin(fault: Fault): void {
    if (!isDue(fault.fromMin, this.nowSecs, TICK_SECS)) return;
    if (fault.kind === 'restart') for (const host of fault.hosts) this.backend(host).restart();
    if (fault.kind === 'counterReset') for (const each of this.backends) each.attempts.forget();
  }

  private letUsersArrive(rhythm: number): void {
    const { arrivalsPerDay } = this.shape;
    if (arrivalsPerDay === 0) return;
    const open = [...this.backends.keys()].filter((index) => {
      const { status, loadFactor, isAcceptingNewUsers } = this.at(index);
      return status === 'online' && loadFactor > 0 && isAcceptingNewUsers;
    });
    const coming = eventsOf((arrivalsPerDay * TICK_SECS * rhythm) / DAY_SECS, this.random);
    for (let user = 0; user < coming && open.length > 0; user += 1) {
      this.crowd.arrive(open[Math.floor(this.random() * open.length)] ?? 0);
    }
  }
}

export function hostOf(index: number): string {
  return `mail${String(index + 1).padStart(2, '0')}`;
}
