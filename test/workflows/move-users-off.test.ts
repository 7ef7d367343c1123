import { WithStartWorkflowOperation } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import {
  cancelSignal,
  endEarlySignal,
  MOVER_WORKFLOW,
  pauseSignal,
  progressQuery,
  requestMoves,
  resumeSignal,
  retargetSignal,
  setSpeedSignal,
  type MoveAnswer,
  type MoveRequest,
  type MoverInput,
} from '../../workflows/contract.ts';
import { toRequest } from '../../workflows/check-user-moves.ts';
import { eventually } from '../support/eventually.ts';
import { MailWorld } from '../support/mail-world.ts';
import { openTemporalRig, type TemporalRig } from '../support/temporal-rig.ts';

let rig: TemporalRig;
beforeAll(async () => {
  rig = await openTemporalRig();
});
afterAll(() => rig.close());

function evacuation(fields: Partial<MoveRequest> = {}): MoveRequest {
  return {
    operationId: crypto.randomUUID(),
    siteName: 'north',
    kind: 'evacuation',
    cause: 'health',
    sourceId: 'source-id',
    sourceHost: 'mail1',
    targetIds: [],
    maxUsers: null,
    stepRatio: 0.2,
    minLastMovedSecs: null,
    endsOffline: true,
    isForced: false,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: null,
    ...fields,
  };
}

async function ask(workflowId: string, request: MoveRequest): Promise<MoveAnswer> {
  const input: MoverInput = { siteName: 'north', sourceId: 'source-id', sourceHost: 'mail1' };
  const start = new WithStartWorkflowOperation(MOVER_WORKFLOW, {
    workflowId,
    taskQueue: rig.taskQueue,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  return rig.client.workflow.executeUpdateWithStart(requestMoves, {
    args: [request],
    startWorkflowOperation: start,
  });
}

async function withWorld(
  world: MailWorld,
  scenario: (workflowId: string) => Promise<void>,
  otherwise: Partial<Activities> = {},
): Promise<void> {
  const stop = await rig.startWorker({ ...world.activities(), ...otherwise });
  const workflowId = `mover-${crypto.randomUUID()}`;
  try {
    await scenario(workflowId);
  } finally {
    await stop();
  }
}

describe('moveUsersOff', () => {
  it('evacuates in rounds of a fifth of the original count, then sets the source offline', async () => {
    const world = new MailWorld(503);
    await withWorld(world, async (workflowId) => {
      const request = evacuation();
      const answer = await ask(workflowId, request);
      expect(answer).toEqual({ answer: 'accepted', operationId: request.operationId });
      await rig.client.workflow.getHandle(workflowId).result();
      const row = world.lastRow;
      expect(row?.state).toBe('done');
      expect(row?.round).toBe(5);
      expect(row?.originalCount).toBe(503);
      expect(row?.counts).toEqual({
        planned: 503,
        confirmed: 503,
        skipped: 0,
        failed: 0,
        remaining: 0,
      });
      expect(world.statusChanges).toEqual(['offline']);
      expect(world.accepting).toEqual([false]);
    });
  });

  it('does side by side what does not depend on each other: clients of a failing Backend wait', async () => {
    const world = new MailWorld(50);
    const { countUsers, saveOperation, setAcceptNewUsers, moveChunk } = world.activities();
    const begun = new Set<string>();
    const meet = async (own: string, ...others: string[]): Promise<void> => {
      begun.add(own);
      await eventually(`${own} meets ${others.join(', ')}`, () =>
        others.every((other) => begun.has(other)),
      );
    };
    const together: Partial<Activities> = {
      async countUsers() {
        await meet('count', 'first row', 'shut');
        return countUsers();
      },
      async setAcceptNewUsers(input) {
        await meet('shut', 'first row', 'count');
        await setAcceptNewUsers(input);
      },
      async saveOperation(row) {
        if (row.state === 'planned') await meet('first row', 'shut', 'count');
        if (row.round === 1) await meet('row of the round', 'users on their way');
        await saveOperation(row);
      },
      async moveChunk(input) {
        await meet('users on their way', 'row of the round');
        return moveChunk(input);
      },
    };
    await withWorld(
      world,
      async (workflowId) => {
        await ask(workflowId, evacuation({ stepRatio: 1 }));
        await rig.client.workflow.getHandle(workflowId).result();
        expect(world.rows.map(({ state }) => state)).toEqual(
          expect.arrayContaining(['planned', 'running', 'verifying', 'done']),
        );
        expect(world.rows.at(0)?.state).toBe('planned');
        expect(world.lastRow).toMatchObject({ state: 'done', originalCount: 50, round: 1 });
      },
      together,
    );
  });

  it('tells what the ledger says where the store lost ends of moves', async () => {
    const world = new MailWorld(100);
    const counts = { planned: 100, confirmed: 98, skipped: 0, failed: 2, remaining: 0 };
    world.lost = { counts, reopened: 3 };
    await withWorld(world, async (workflowId) => {
      const request = evacuation();
      await ask(workflowId, request);
      await rig.client.workflow.getHandle(workflowId).result();
      const chunks = 1 + Math.max(...world.moves.map(({ chunk }) => chunk));
      expect(world.closed).toEqual([{ operationId: request.operationId, chunks }]);
    });
    expect(world.lastRow?.state).toBe('done');
    expect(world.lastRow?.counts).toEqual(counts);
  });

  it('sends nobody to a target that another mover keeps busy, until there is room', async () => {
    const world = new MailWorld(100);
    world.situation = { inflowOfOthers: { 'target-1': 190 } };
    world.inflowLater.push({ 'target-1': 190 }, { 'target-1': 190 });
    await withWorld(world, async (workflowId) => {
      let isWaiting = true;
      world.behaviour = (_input, users) => {
        isWaiting = world.inflowLater.length > 0;
        return users;
      };
      await ask(workflowId, evacuation({ maxUsers: 80, stepRatio: 1, kind: 'partialMove' }));
      await rig.client.workflow.getHandle(workflowId).result();
      expect(isWaiting).toBe(false);
      expect(world.inflowLater).toEqual([]);
      expect(world.lastRow?.counts.confirmed).toBe(80);
    });
  });

  it('says why it moved fewer than it was asked for: the others rest', async () => {
    const world = new MailWorld(500);
    world.movable = 50;
    await withWorld(world, async (workflowId) => {
      const few = { maxUsers: 80, minLastMovedSecs: 3_600, kind: 'rebalance' } as const;
      await ask(workflowId, evacuation({ ...few, cause: 'rebalance', stepRatio: 1 }));
      await rig.client.workflow.getHandle(workflowId).result();
    });
    expect(world.lastRow?.counts.confirmed).toBe(50);
    expect(world.lastRow?.state).toBe('done');
    expect(world.lastRow?.stateReason).toBe('UsersResting (50 of 80)');
  });

  it('blames no cool time where all who live there were moved', async () => {
    const world = new MailWorld(50);
    world.movable = 50;
    await withWorld(world, async (workflowId) => {
      const more = { maxUsers: 80, minLastMovedSecs: 3_600, kind: 'batchMove' } as const;
      await ask(workflowId, evacuation({ ...more, stepRatio: 1 }));
      await rig.client.workflow.getHandle(workflowId).result();
    });
    expect(world.lastRow?.counts.confirmed).toBe(50);
    expect(world.lastRow?.stateReason).toBeNull();
  });

  it('sends a chunk later that was held back because another mover was quicker', async () => {
    const world = new MailWorld(100);
    const heldBack: number[] = [];
    world.holdsBack = ({ chunk }) => {
      if (heldBack.length >= 3) return false;
      heldBack.push(chunk);
      return true;
    };
    await withWorld(world, async (workflowId) => {
      await ask(workflowId, evacuation({ maxUsers: 80, stepRatio: 1, kind: 'partialMove' }));
      await rig.client.workflow.getHandle(workflowId).result();
    });
    expect(heldBack).toHaveLength(3);
    const first = world.moves.slice(0, 2).map(({ room }) => room);
    expect(first[0]).toEqual({ maxInflow: 200, ownInflow: 0 });
    expect(first[1]?.ownInflow).toBeGreaterThan(0);
    expect(world.lastRow?.counts).toMatchObject({ planned: 80, confirmed: 80, remaining: 0 });
  });

  it('looks at its targets again after a pause: nobody is sent to one that fell ill meanwhile', async () => {
    const world = new MailWorld(2000);
    const first = { ...world.candidate, backendId: 'target-1', host: 'mail2' };
    const other = { ...world.candidate, backendId: 'target-2', host: 'mail3' };
    world.situation = { candidates: [first, other] };
    await withWorld(world, async (workflowId) => {
      const mover = rig.client.workflow.getHandle(workflowId);
      world.behaviour = async (_input, users) => {
        if (world.moves.length === 1) {
          await mover.signal(pauseSignal, { operationId: null, actor: 'ann', reason: 'wait' });
        }
        return users;
      };
      await ask(workflowId, evacuation({ maxUsers: 2000, stepRatio: 1, kind: 'batchMove' }));
      await eventually('it is paused', () => world.lastRow?.state === 'paused');
      const sent = world.moves.length;
      world.situation = { candidates: [{ ...first, verdict: 'critical' }, other] };
      await mover.signal(resumeSignal, { operationId: null, actor: 'ann' });
      await mover.result();
      const later = world.moves.slice(sent).map(({ targetId }) => targetId);
      expect(new Set(later)).toEqual(new Set(['target-2']));
      expect(world.lastRow?.counts.confirmed).toBe(2000);
    });
  });

  it('counts those who were sent and have not arrived as users on their way to the target', async () => {
    const world = new MailWorld(200);
    world.situation = { settings: { ...world.settings, maxParallelInflow: 60 } };
    const open = new Map<number, number>();
    let most = 0;
    world.behaviour = ({ chunk, mode }, users) => {
      const isSlow = mode === 'send' && chunk % 2 === 0;
      open.set(chunk, isSlow ? users : 0);
      most = Math.max(
        most,
        [...open.values()].reduce((sum, each) => sum + each, 0),
      );
      return isSlow ? 0 : users;
    };
    await withWorld(world, async (workflowId) => {
      await ask(workflowId, evacuation({ maxUsers: 200, stepRatio: 1, kind: 'partialMove' }));
      await rig.client.workflow.getHandle(workflowId).result();
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(60);
    expect(world.lastRow?.counts.confirmed).toBe(200);
  });

  it('is accepted once: a repeated request is the same operation, an equal one is refused', async () => {
    const world = new MailWorld(50);
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.behaviour = async (_input, users) => {
      await gate;
      return users;
    };
    await withWorld(world, async (workflowId) => {
      const request = evacuation();
      await ask(workflowId, request);
      expect(await ask(workflowId, request)).toMatchObject({ answer: 'accepted' });
      const other = await ask(workflowId, evacuation());
      expect(other).toEqual({
        answer: 'refused',
        runningId: request.operationId,
        reason: 'OperationRunning',
      });
      release();
      await rig.client.workflow.getHandle(workflowId).result();
      const done = world.rows.filter((row) => row.state === 'done');
      expect(new Set(done.map((row) => row.operationId))).toEqual(new Set([request.operationId]));
    });
  });

  it('lets a health evacuation supersede a partial move and keeps what was moved', async () => {
    const world = new MailWorld(100);
    let isFirst = true;
    world.behaviour = async (input, users) => {
      if (input.kind !== 'partialMove') return users;
      await eventually('the evacuation was asked for', () => !isFirst);
      return 0;
    };
    await withWorld(world, async (workflowId) => {
      const partial = evacuation({
        kind: 'partialMove',
        cause: 'degraded',
        maxUsers: 20,
        stepRatio: 1,
        endsOffline: false,
      });
      await ask(workflowId, partial);
      const whole = evacuation();
      const answer = await ask(workflowId, whole);
      isFirst = false;
      expect(answer).toMatchObject({ answer: 'superseding', supersededId: partial.operationId });
      await rig.client.workflow.getHandle(workflowId).result();
      const last = (id: string) => world.rows.findLast((row) => row.operationId === id);
      expect(last(partial.operationId)?.state).toBe('superseded');
      expect(last(partial.operationId)?.counts.remaining).toBe(0);
      expect(last(whole.operationId)?.state).toBe('done');
      expect(world.usersOnSource).toBe(0);
    });
  });

  it('sends nothing while paused and goes on when resumed', async () => {
    const world = new MailWorld(200);
    await withWorld(world, async (workflowId) => {
      const handle = rig.client.workflow.getHandle(workflowId);
      let isPaused = false;
      world.behaviour = async (_input, users) => {
        if (!isPaused) {
          isPaused = true;
          await handle.signal(pauseSignal, { operationId: null, actor: 'ann', reason: 'wait' });
        }
        return users;
      };
      await ask(workflowId, evacuation());
      await eventually('the row says paused', () => world.lastRow?.state === 'paused');
      expect(world.lastRow?.stateReason).toBe('ann: wait');
      const sent = world.moves.length;
      const automation = { operationId: null, actor: 'check_backend_health', reason: 'x' };
      await handle.signal(resumeSignal, automation);
      expect((await handle.query(progressQuery))?.state).toBe('paused');
      expect(world.moves.length).toBe(sent);
      await handle.signal(resumeSignal, { operationId: null, actor: 'ann' });
      await handle.result();
      expect(world.lastRow?.state).toBe('done');
      expect(world.usersOnSource).toBe(0);
      expect(world.audited).toEqual(['operation.pause', 'operation.resume']);
    });
  });

  it('is taken up paused where its row was paused, after its mover was terminated', async () => {
    const world = new MailWorld(200);
    await withWorld(world, async (workflowId) => {
      const first = rig.client.workflow.getHandle(workflowId);
      const byAnn = { operationId: null, actor: 'ann', reason: 'wait' };
      world.behaviour = async (_input, users) => {
        await first.signal(pauseSignal, byAnn);
        return users;
      };
      await ask(workflowId, evacuation());
      await eventually('the row says paused', () => world.lastRow?.state === 'paused');
      await eventually('that is audited', () => world.audited.length === 1);
      const row = world.lastRow;
      if (row === undefined) throw new Error('there is no row');
      await first.terminate();
      const [sent, saved] = [world.moves.length, world.rows.length];
      world.behaviour = (_input, users) => users;
      await ask(workflowId, toRequest(row, world.settings));
      const second = rig.client.workflow.getHandle(workflowId);
      await second.signal(resumeSignal, { operationId: null, actor: 'check_backend_health' });
      await eventually('it says so', async () => {
        const now = await second.query(progressQuery);
        return now?.state === 'paused' && now.stateReason === 'ann: wait';
      });
      expect(world.rows.slice(saved).map(({ state }) => state)).not.toContain('running');
      expect(world.moves.length).toBe(sent);
      await second.signal(resumeSignal, { operationId: null, actor: 'ann' });
      await second.result();
      const { state, createdAtMs, startedAtMs, originalCount } = world.lastRow ?? {};
      expect({ createdAtMs, startedAtMs, originalCount }).toEqual({
        createdAtMs: row.createdAtMs,
        startedAtMs: row.startedAtMs,
        originalCount: 200,
      });
      expect(state).toBe('done');
      expect(world.usersOnSource).toBe(0);
      expect(world.audited).toEqual(['operation.pause', 'operation.resume']);
    });
  });

  it('sends what is planned and unsent to the new targets when it is retargeted', async () => {
    const world = new MailWorld(400);
    const other = { ...world.candidate, backendId: 'target-2', host: 'mail3' };
    world.situation = {
      candidates: [{ ...world.candidate, backendId: 'target-1', host: 'mail2' }, other],
    };
    await withWorld(world, async (workflowId) => {
      const mover = rig.client.workflow.getHandle(workflowId);
      let isToldSince = Number.POSITIVE_INFINITY;
      world.behaviour = async (_input, users) => {
        if (world.moves.length === 1) {
          const by = { operationId: null, actor: 'ann', reason: 'mail2 is slow' };
          await mover.signal(setSpeedSignal, { ...by, speedPercent: 25 });
          await mover.signal(retargetSignal, { ...by, targetIds: ['target-2'] });
          // those that the other lanes had begun are on their way
          isToldSince = world.moves.length + 4;
        }
        return users;
      };
      await ask(workflowId, evacuation({ maxUsers: 400, stepRatio: 1, kind: 'batchMove' }));
      await mover.result();
      expect(world.moves.slice(isToldSince).every(({ targetId }) => targetId === 'target-2')).toBe(
        true,
      );
      expect(world.lastRow).toMatchObject({ state: 'done', targetIds: ['target-2'] });
      expect(world.audited).toEqual(['operation.speed', 'operation.retarget']);
    });
  });

  it('goes at the speed of its request from the first chunk on', async () => {
    const world = new MailWorld(40);
    await withWorld(world, async (workflowId) => {
      let inside = 0;
      let most = 0;
      world.behaviour = async (_input, users) => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setTimeout(resolve, 20));
        inside -= 1;
        return users;
      };
      const request = evacuation({ maxUsers: 40, stepRatio: 1, kind: 'batchMove' });
      await ask(workflowId, { ...request, speedPercent: 25 });
      await rig.client.workflow.getHandle(workflowId).result();
      expect(most).toBe(1);
      expect(world.moves.length).toBeGreaterThan(1);
      expect(world.moves.every(({ maxParallel }) => maxParallel === 25)).toBe(true);
      expect(world.lastRow).toMatchObject({ state: 'done', speedPercent: 25 });
    });
  });

  it('ends its rest between slow chunks when it may go fast again, and when it is to pause', async () => {
    const world = new MailWorld(200);
    world.behaviour = async (_input, users) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return users;
    };
    await withWorld(world, async (workflowId) => {
      const { operationId } = evacuation();
      await ask(workflowId, evacuation({ operationId }));
      const mover = rig.client.workflow.getHandle(workflowId);
      // at 1 % it rests for 24 times as long as it worked: about 10 s
      await mover.signal(setSpeedSignal, { operationId, speedPercent: 1 });
      await eventually('it moved some', () => world.moves.length > 0);
      await eventually('and rests', async () => {
        const before = world.moves.length;
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        return world.moves.length === before;
      });
      const pausedAtMs = Date.now();
      await mover.signal(pauseSignal, { operationId, actor: 'admin', reason: 'look' });
      await eventually('it is paused', () => world.lastRow?.state === 'paused');
      expect(Date.now() - pausedAtMs).toBeLessThan(5_000);
      await mover.signal(resumeSignal, { operationId, actor: 'admin' });
      await eventually('it goes on', () => world.lastRow?.state === 'running');
      const fastAtMs = Date.now();
      await mover.signal(setSpeedSignal, { operationId, speedPercent: 100 });
      await mover.result();
      expect(Date.now() - fastAtMs).toBeLessThan(20_000);
      expect(world.lastRow?.state).toBe('done');
    });
  });

  it('stops when cancelled, keeps what is moved, and holds automation off for an hour', async () => {
    const world = new MailWorld(200);
    await withWorld(world, async (workflowId) => {
      const handle = rig.client.workflow.getHandle(workflowId);
      world.behaviour = async (input, users) => {
        if (input.chunk === 0) {
          await handle.signal(cancelSignal, { operationId: null, actor: 'ann', reason: 'enough' });
        }
        return users;
      };
      await ask(workflowId, evacuation());
      await handle.result();
      const row = world.lastRow;
      expect(row?.state).toBe('cancelled');
      expect(row?.counts.remaining).toBe(0);
      expect(row?.counts.planned).toBe((row?.counts.confirmed ?? 0) + (row?.counts.skipped ?? 0));
      expect(world.usersOnSource).toBeGreaterThan(0);
      expect(world.statusChanges).toEqual([]);
      expect(world.accepting).toEqual([false, true]);
      expect(world.holds.length).toBe(1);
      expect(world.audited).toEqual(['operation.cancelled']);
    });
  });

  it('ends early on a healthy verdict without setting the source offline', async () => {
    const world = new MailWorld(200);
    await withWorld(world, async (workflowId) => {
      const handle = rig.client.workflow.getHandle(workflowId);
      world.behaviour = async (input, users) => {
        const message = { operationId: null, actor: 'check_backend_health', reason: 'Recovered' };
        if (input.chunk === 0) await handle.signal(endEarlySignal, message);
        return users;
      };
      await ask(workflowId, evacuation());
      await handle.result();
      expect(world.lastRow?.state).toBe('done');
      expect(world.lastRow?.stateReason).toBe('Recovered');
      expect(world.statusChanges).toEqual([]);
      expect(world.holds).toEqual([]);
    });
  });

  it('starts the next round when 95 % of the last has ended and ends with the stragglers', async () => {
    const world = new MailWorld(200);
    const late = new Map<number, number>();
    world.behaviour = (input, users) => {
      if (input.mode === 'check' && (late.get(input.chunk) ?? 0) > 0) return users;
      if (input.chunk !== 0) return users;
      late.set(input.chunk, 1);
      return users - 1;
    };
    await withWorld(world, async (workflowId) => {
      await ask(workflowId, evacuation());
      await rig.client.workflow.getHandle(workflowId).result();
      const rounds = world.rows.map((row) => row.round);
      const stragglerIndex = world.moves.findIndex((move) => move.mode === 'check');
      expect(Math.max(...rounds)).toBe(5);
      expect(stragglerIndex).toBeGreaterThan(10);
      expect(world.lastRow?.counts.confirmed).toBe(200);
    });
  });

  it('waits for a target and says which Backends were refused', async () => {
    const world = new MailWorld(10);
    world.situation = { candidates: [] };
    await withWorld(world, async (workflowId) => {
      await ask(workflowId, evacuation());
      await eventually('the row says that no target is left', () =>
        world.lastRow?.stateReason?.startsWith('NoTargetLeft'),
      );
      world.situation = {};
      await rig.client.workflow.getHandle(workflowId).result();
      expect(world.lastRow?.state).toBe('done');
    });
  });

  it('pauses itself before a round when its feature left Enabled', async () => {
    const world = new MailWorld(10);
    world.situation = {
      features: {
        MetricsExport: 'enabled',
        BackendHealthAutoHandling: 'dryRun',
        BackendLoadBalancing: 'enabled',
      },
    };
    await withWorld(world, async (workflowId) => {
      await ask(workflowId, evacuation());
      await eventually('paused', () => world.lastRow?.state === 'paused');
      expect(world.lastRow?.stateReason).toBe('FeatureDisabled');
      expect(world.moves).toEqual([]);
      await rig.client.workflow.getHandle(workflowId).terminate();
    });
  });
});
