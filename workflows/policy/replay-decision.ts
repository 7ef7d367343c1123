import type { ClusterSnapshot, MovesSnapshot } from '../domain/cluster-snapshot.ts';
import type { Decision, TaskName } from '../domain/decision.ts';
import { decideBackendHealth } from './decide-backend-health.ts';
import { decideDrains } from './decide-drains.ts';
import { decideForeign } from './decide-foreign-moves.ts';
import { decideFollowUps } from './decide-follow-ups.ts';
import { decideStaleData, findStaleData } from './find-stale-data.ts';
import { planRebalance } from './plan-rebalance.ts';

export interface ReplayedDecision {
  /** `unknown`: the snapshot does not hold what this task decides from. */
  readonly outcome: 'identical' | 'different' | 'unknown';
  /** What the policy decides today from the same facts about the same Backends; empty: nothing of the kind. */
  readonly again: readonly Decision[];
}

/**
 * A decision is a pure function of its snapshot: made again it must come out the same, byte for byte.
 * Another policy (a later version of ours) may well come to another answer: then it is `different`.
 */
export function replayDecision(recorded: Decision, snapshot: ClusterSnapshot): ReplayedDecision {
  const made = decideAgain(recorded.task, snapshot);
  if (made === null) return { outcome: 'unknown', again: [] };
  const wanted = bytesOf(recorded);
  const same = made.filter((decision) => bytesOf(decision) === wanted);
  if (same.length > 0) return { outcome: 'identical', again: same };
  const again = made.filter(
    ({ hosts }) =>
      hosts.length === 0 ||
      recorded.hosts.length === 0 ||
      hosts.some((host) => recorded.hosts.includes(host)),
  );
  return { outcome: 'different', again };
}

/** Null: this task decides nothing, or from facts that the snapshot does not hold. */
function decideAgain(task: TaskName, snapshot: ClusterSnapshot): readonly Decision[] | null {
  switch (task) {
    case 'check_backend_health':
      return decideBackendHealth(snapshot).decisions;
    case 'evacuate_zero_load_factor_hosts':
      return decideDrains(snapshot);
    case 'rebalance_sites':
      return planRebalance(snapshot).decisions;
    case 'delete_stale_data':
      return snapshot.references === undefined
        ? null
        : [decideStaleData(findStaleData(snapshot.references), snapshot.isOwner)];
    case 'check_user_moves':
      return snapshot.moves === undefined ? null : decideMoves(snapshot.moves);
    default:
      return null;
  }
}

function decideMoves(moves: MovesSnapshot): readonly Decision[] {
  const { foreign, settings } = moves;
  if (foreign !== undefined) return decideForeign(foreign, settings);
  return decideFollowUps(moves);
}

/** The fields of the decision itself, without those of its record. */
function bytesOf(decision: Decision): string {
  const { task, kind, reason, hosts, backendId, operationId } = decision;
  const { isDryRun, numbers, limitingSetting, detail } = decision;
  const what = [task, kind, reason, hosts, backendId, operationId];
  return JSON.stringify([...what, isDryRun, numbers, limitingSetting, detail]);
}
