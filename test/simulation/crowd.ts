/** The users of a simulated site: where each lives, how much work it makes, when it was last moved. */
import type { UserHome } from '../../workflows/domain/user-move.ts';
import { shuffle, type Random } from './random.ts';

const ZIPF_EXPONENT = 0.7;
const NOWHERE = -1;

export interface CrowdOptions {
  readonly users: number;
  /** Users who may still arrive later. */
  readonly arrivals: number;
  /** Load that each Backend should have at first, in proportion. */
  readonly shares: readonly number[];
  readonly random: Random;
}

/** Users are numbers; their order is that of the GeoDB's tokens, so it says nothing about their load. */
export class Crowd {
  /** Work of each user, 1 on average. */
  readonly weights: Float64Array;
  private readonly homes: Int16Array;
  private readonly lastMovedMs: Float64Array;
  private readonly countOf: number[];
  private readonly weightOf: number[];
  private present = 0;

  constructor({ users, arrivals, shares, random }: CrowdOptions) {
    const all = users + arrivals;
    this.weights = Float64Array.from({ length: all }, (_, rank) => (rank + 1) ** -ZIPF_EXPONENT);
    const mean = this.weights.reduce((sum, weight) => sum + weight, 0) / all;
    for (let user = 0; user < all; user += 1) this.weights[user] = this.weightAt(user) / mean;
    shuffle(this.weights, random);
    this.homes = new Int16Array(all).fill(NOWHERE);
    this.lastMovedMs = new Float64Array(all).fill(Number.NaN);
    this.countOf = shares.map(() => 0);
    this.weightOf = shares.map(() => 0);
    // Each goes to the Backend that is furthest below its share.
    for (let user = 0; user < users; user += 1) this.arrive(this.furthestBelow(shares));
  }

  get size(): number {
    return this.present;
  }

  /** Sum of the work of the users who live there. */
  weight(backend: number): number {
    return this.weightOf[backend] ?? 0;
  }

  count(backend: number): number {
    return this.countOf[backend] ?? 0;
  }

  home(user: number): number {
    return this.homes[user] ?? NOWHERE;
  }

  weightAt(user: number): number {
    return this.weights[user] ?? 0;
  }

  /** When it was last moved; null: never. */
  movedAtMs(user: number): number | null {
    const atMs = this.lastMovedMs[user] ?? Number.NaN;
    return Number.isNaN(atMs) ? null : atMs;
  }

  /** The next new user gets a home here; false: nobody is left to come. */
  arrive(backend: number): boolean {
    if (this.present >= this.homes.length) return false;
    this.settle(this.present, backend);
    this.present += 1;
    return true;
  }

  move(user: number, target: number, nowMs: number): void {
    const source = this.home(user);
    this.countOf[source] = this.count(source) - 1;
    this.weightOf[source] =
      this.count(source) === 0 ? 0 : this.weight(source) - this.weightAt(user);
    this.settle(user, target);
    this.lastMovedMs[user] = nowMs;
  }

  /** Up to `limit` users of a Backend behind `cursor`, as the GeoDB pages them. */
  page(
    backend: number,
    { limit, cursor }: { limit: number; cursor: number },
  ): { users: UserHome[]; cursor: number | null } {
    const users: UserHome[] = [];
    for (let user = cursor; user < this.present; user += 1) {
      if (this.homes[user] !== backend) continue;
      if (users.length === limit) return { users, cursor: user };
      users.push({
        username: String(user),
        backendId: String(backend),
        altBackendId: null,
        isMoving: false,
        lastMovedMs: this.movedAtMs(user),
      });
    }
    return { users, cursor: null };
  }

  private settle(user: number, backend: number): void {
    this.homes[user] = backend;
    this.countOf[backend] = this.count(backend) + 1;
    this.weightOf[backend] = this.weight(backend) + this.weightAt(user);
  }

  private furthestBelow(shares: readonly number[]): number {
    let best = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (let backend = 0; backend < shares.length; backend += 1) {
      const share = shares[backend] ?? 0;
      const filled = share > 0 ? this.weight(backend) / share : Number.POSITIVE_INFINITY;
      if (filled < lowest) [best, lowest] = [backend, filled];
    }
    return best;
  }
}
