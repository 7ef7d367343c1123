import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import type { Decision } from '../../workflows/domain/decision.ts';
import { decideBackendHealth } from '../../workflows/policy/decide-backend-health.ts';
import { decideDrains } from '../../workflows/policy/decide-drains.ts';
import { decideFollowUps } from '../../workflows/policy/decide-follow-ups.ts';
import { decideStaleData, findStaleData } from '../../workflows/policy/find-stale-data.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { replayDecision } from '../../workflows/policy/replay-decision.ts';
import {
  aSnapshot,
  failing,
  fourBackends,
  NOW_MS,
  settings,
  struggling,
} from '../support/cluster-builders.ts';
import { aChunkInFlight, aRow } from '../support/move-builders.ts';

const load = (level: number) => ({
  cpu: level,
  memoryBytes: level * 1e9,
  metacacheBytes: level * 1e8,
  samples: 10_000,
});
const snapshot = aSnapshot({
  backends: fourBackends(
    { attempts: failing, load: load(1) },
    { attempts: struggling, load: load(3) },
    { loadFactor: 0, load: load(1) },
    { load: load(1) },
  ),
  references: {
    siteIds: ['site-north'],
    backendIds: ['id-mail1'],
    references: [{ table: 'force_moves', scope: 'backend', target: 'gone' }],
    usersByBackend: { 'id-mail1': 3, gone: 2 },
  },
  moves: {
    takenAtMs: NOW_MS,
    isOwner: true,
    epoch: 1,
    settings,
    open: [
      {
        operation: aRow(),
        isMoverRunning: true,
        chunks: [aChunkInFlight({ chunk: 7, sentAtMs: NOW_MS - 3_600_000 })],
      },
    ],
  },
});

/** As it comes back from the store: keys sorted, numbers through text. */
function stored(value: ClusterSnapshot): ClusterSnapshot {
  const sorted = (_key: string, part: unknown): unknown =>
    part === null || typeof part !== 'object' || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.parse(JSON.stringify(value, sorted)) as ClusterSnapshot;
}

const references = snapshot.references;
const moves = snapshot.moves;
if (references === undefined || moves === undefined) throw new Error('the snapshot holds both');
const decided: [string, readonly Decision[]][] = [
  ['check_backend_health', decideBackendHealth(snapshot).decisions],
  ['evacuate_zero_load_factor_hosts', decideDrains(snapshot)],
  ['rebalance_sites', planRebalance(snapshot).decisions],
  ['delete_stale_data', [decideStaleData(findStaleData(references), true)]],
  ['check_user_moves', decideFollowUps(moves)],
];

describe('replayDecision', () => {
  it.each(decided)('makes what %s decided again from the stored snapshot', (task, decisions) => {
    expect(decisions.length).toBeGreaterThan(0);
    for (const decision of decisions) {
      expect(decision.task).toBe(task);
      const recorded = JSON.parse(JSON.stringify(decision)) as Decision;
      expect(replayDecision(recorded, stored(snapshot)).outcome).toBe('identical');
    }
  });

  it('tells another answer, and what would be decided today', () => {
    const [evacuation] = decideBackendHealth(snapshot).decisions.filter(
      ({ kind }) => kind === 'evacuate',
    );
    if (evacuation === undefined) throw new Error('mail1 is evacuated');
    const numbers = { ...evacuation.numbers, failureRatio: 0.97 };
    const { outcome, again } = replayDecision({ ...evacuation, numbers }, snapshot);
    expect(outcome).toBe('different');
    expect(again).toEqual([evacuation]);
  });

  it('says where the snapshot does not hold what a task decides from', () => {
    const bare = aSnapshot();
    for (const [task, [first]] of decided) {
      if (first === undefined) continue;
      const isBare = task === 'delete_stale_data' || task === 'check_user_moves';
      const { outcome } = replayDecision(first, bare);
      expect(outcome).toBe(isBare ? 'unknown' : 'different');
    }
  });
});
