import { assert } from '../domain/assert.ts';
import type { BackendStatus } from '../domain/backend.ts';
import type { HealthVerdict } from '../domain/cluster-snapshot.ts';

/** What is known of a possible target right now. */
export interface TargetCandidate {
  readonly backendId: string;
  readonly host: string;
  readonly status: BackendStatus;
  readonly loadFactor: number;
  readonly verdict: HealthVerdict;
  readonly isDoveadmReachable: boolean;
  /** Its own users are being moved off. */
  readonly isBeingEmptied: boolean;
  readonly userCount: number;
  /** Users on their way to it, by all movers: load that is as good as there. */
  readonly inflow: number;
}

export const TARGET_REFUSALS = [
  'Source',
  'NotAsked',
  'Offline',
  'Standby',
  'LoadFactorZero',
  'Failing',
  'Unreachable',
  'BeingEmptied',
] as const;
export type TargetRefusal = (typeof TARGET_REFUSALS)[number];

export interface TargetSelection {
  /** Users that each target should get; they sum up to the wanted number where there is a target. */
  readonly quotas: readonly {
    readonly backendId: string;
    readonly host: string;
    readonly users: number;
  }[];
  readonly refused: readonly { readonly host: string; readonly refusal: TargetRefusal }[];
}

/**
 * Shares `users` out over the Backends that may take them, so that users per load factor come out as
 * even as they can; users already on their way count as there.
 * Source: controller documentation: offline, standby, load factor 0 and Backends whose doveadm does not
 * answer are no targets; the weighting is ours.
 */
export function selectTargets(
  candidates: readonly TargetCandidate[],
  wish: {
    readonly sourceId: string;
    readonly targetIds: readonly string[];
    readonly users: number;
  },
): TargetSelection {
  assert(Number.isInteger(wish.users) && wish.users >= 0, 'users is a count');
  const sorted = [...candidates].sort((a, b) => (a.host < b.host ? -1 : 1));
  const refused: { host: string; refusal: TargetRefusal }[] = [];
  const eligible: TargetCandidate[] = [];
  for (const candidate of sorted) {
    const refusal = refuse(candidate, wish);
    if (refusal === null) eligible.push(candidate);
    else refused.push({ host: candidate.host, refusal });
  }
  const shares = fillEvenly(eligible, wish.users);
  const quotas = eligible.map(({ backendId, host }, index) => ({
    backendId,
    host,
    users: shares[index] ?? 0,
  }));
  return { quotas, refused };
}

function refuse(
  candidate: TargetCandidate,
  wish: { readonly sourceId: string; readonly targetIds: readonly string[] },
): TargetRefusal | null {
  if (candidate.backendId === wish.sourceId) return 'Source';
  if (wish.targetIds.length > 0 && !wish.targetIds.includes(candidate.backendId)) return 'NotAsked';
  if (candidate.status === 'offline') return 'Offline';
  if (candidate.status === 'standby') return 'Standby';
  if (candidate.loadFactor <= 0) return 'LoadFactorZero';
  if (candidate.verdict === 'critical' || candidate.verdict === 'degraded') return 'Failing';
  if (!candidate.isDoveadmReachable) return 'Unreachable';
  return candidate.isBeingEmptied ? 'BeingEmptied' : null;
}

/** Water filling: raise the lowest users-per-load-factor levels until all users are placed. */
function fillEvenly(targets: readonly TargetCandidate[], users: number): number[] {
  if (targets.length === 0 || users === 0) return targets.map(() => 0);
  const held = targets.map((target) => target.userCount + target.inflow);
  const weights = targets.map((target) => target.loadFactor);
  const level = waterLevel(held, weights, users);
  const exact = held.map((has, index) => Math.max(0, level * (weights[index] ?? 0) - has));
  const shares = exact.map(Math.floor);
  let left = users - shares.reduce((a, b) => a + b, 0);
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (let turn = 0; left > 0; turn = (turn + 1) % byRemainder.length) {
    const index = byRemainder[turn]?.index ?? 0;
    shares[index] = (shares[index] ?? 0) + 1;
    left -= 1;
  }
  return shares;
}

/** The level at which the targets below it take exactly `users` more. */
function waterLevel(held: readonly number[], weights: readonly number[], users: number): number {
  const order = held
    .map((has, index) => ({ has, weight: weights[index] ?? 1 }))
    .sort((a, b) => a.has / a.weight - b.has / b.weight);
  let heldBelow = 0;
  let weightBelow = 0;
  let level = 0;
  for (const [index, { has, weight }] of order.entries()) {
    heldBelow += has;
    weightBelow += weight;
    level = (users + heldBelow) / weightBelow;
    const next = order[index + 1];
    if (next === undefined || level <= next.has / next.weight) break;
  }
  return level;
}
