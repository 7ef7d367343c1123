/**
 * Records a history of every scenario that has no fixture yet, of movers and tasks whose activities are
 * played: `DK_TEST_NET=<net of a lab with Temporal> node test/replay/record-scenarios.ts <release>`.
 * A recorded history is never written again. `cacheMetrics.upgraded-midway` is of another kind: a worker of the code before
 * local activities (ADR 25) began it, and one of the code with them went on.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { ForeignMovesSeen } from '../../activities/foreign-moves.ts';
import type { Activities } from '../../activities/index.ts';
import type { Glance } from '../../activities/read-metrics.ts';
import {
  MOVER_WORKFLOW,
  pauseSignal,
  pauseTaskSignal,
  requestMoves,
  resumeSignal,
  resumeTaskSignal,
  type MoveRequest,
} from '../../workflows/contract.ts';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import { aSnapshot } from '../support/cluster-builders.ts';
import { eventually } from '../support/eventually.ts';
import { MailWorld } from '../support/mail-world.ts';
import { aRequest, aRow } from '../support/move-builders.ts';
import { openTemporalRig } from '../support/temporal-rig.ts';

const release = process.argv[2];
if (release === undefined) throw new Error('usage: node test/replay/record-scenarios.ts <release>');
const rig = await openTemporalRig();
const USERS = 60;

async function write(workflowId: string, name: string): Promise<void> {
  const file = new URL(`histories/${name}.${release}.json`, import.meta.url);
  if (existsSync(file)) return;
  const history = await rig.client.workflow.getHandle(workflowId).fetchHistory();
  const json = historyToJSON(history);
  writeFileSync(file, `${json.replaceAll(/"identity": ?"[^"]*"/g, '"identity": "recorded"')}\n`);
  process.stdout.write(`${name}\n`);
}

interface MoverScenario {
  readonly request: Partial<MoveRequest>;
  readonly prepare?: (world: MailWorld) => void;
  readonly meanwhile?: (world: MailWorld, workflowId: string) => Promise<void>;
}

const ofUsers = { maxUsers: 20, stepRatio: 1, endsOffline: false };

const MOVERS: Readonly<Record<string, MoverScenario>> = {
  'begun-side-by-side': { request: {} },
  drain: { request: { kind: 'drain', cause: 'drain', endsOffline: false } },
  rebalance: { request: { ...ofUsers, kind: 'rebalance', cause: 'rebalance' } },
  partial: { request: { ...ofUsers, kind: 'partialMove', cause: 'degraded' } },
  forced: { request: { isForced: true } },
  foreign: {
    request: {
      ...ofUsers,
      kind: 'finishMoves',
      cause: 'foreign',
      selectionId: 'list-1',
      isForced: true,
    },
  },
  counted: { request: {}, prepare: (world) => (world.situation = { takesUserList: false }) },
  'taken-up': {
    request: {
      takenUp: { createdAtMs: 1, startedAtMs: 2, originalCount: 80, speedPercent: 50, pause: null },
    },
  },
  'paused-by-automation': {
    request: {},
    prepare: (world) => (world.situation = { automation: 'paused' }),
    meanwhile: async (world, workflowId) => {
      await eventually('it is paused', () => world.lastRow?.state === 'paused');
      world.situation = {};
      const message = { operationId: null, actor: 'check_backend_health', reason: 'over' };
      await rig.client.workflow.getHandle(workflowId).signal(resumeSignal, message);
    },
  },
  'paused-and-resumed': {
    request: {},
    prepare: (world) => {
      world.behaviour = async (_input, users) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return users;
      };
    },
    meanwhile: async (world, workflowId) => {
      const mover = rig.client.workflow.getHandle(workflowId);
      await mover.signal(pauseSignal, { operationId: null, actor: 'ann', reason: 'look' });
      await eventually('it is paused', () => world.lastRow?.state === 'paused');
      await mover.signal(resumeSignal, { operationId: null, actor: 'ann' });
    },
  },
};

async function recordMover(name: string, scenario: MoverScenario): Promise<void> {
  const world = new MailWorld(USERS);
  scenario.prepare?.(world);
  const stop = await rig.startWorker(world.activities());
  const workflowId = `record-${name}-${crypto.randomUUID()}`;
  try {
    const input = { siteName: 'north', sourceId: 'source-id', sourceHost: 'mail1' };
    const startWorkflowOperation = new WithStartWorkflowOperation(MOVER_WORKFLOW, {
      workflowId,
      taskQueue: rig.taskQueue,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    const request = aRequest({ sourceId: 'source-id', epoch: 1, ...scenario.request });
    await rig.client.workflow.executeUpdateWithStart(requestMoves, {
      args: [request],
      startWorkflowOperation,
    });
    await scenario.meanwhile?.(world, workflowId);
    await rig.client.workflow.getHandle(workflowId).result();
  } finally {
    await stop();
  }
  await write(workflowId, `moveUsersOff.${name}`);
}

/** As an activity would answer it; the policy of the day has no say in what is recorded. */
function decided(fields: Partial<RecordedDecision>): RecordedDecision {
  return {
    decisionId: 'decision-1',
    siteName: 'north',
    snapshotId: 'snapshot-1',
    recordedAtMs: 0,
    repeats: 0,
    lastRepeatedAtMs: 0,
    task: 'check_backend_health',
    kind: 'nothing',
    reason: 'Healthy',
    hosts: ['mail1'],
    backendId: 'id-mail1',
    operationId: 'operation-1',
    numbers: { usersToMove: 20, users: 20 },
    limitingSetting: null,
    detail: null,
    isDryRun: false,
    ...fields,
  };
}

interface TaskScenario {
  readonly workflowType: string;
  readonly decisions?: readonly Partial<RecordedDecision>[];
  readonly activities?: Partial<Activities>;
  readonly isEndless?: boolean;
  /** Absent: as Temporal has it. */
  readonly workflowTaskTimeout?: '1s';
  readonly meanwhile?: (workflowId: string) => Promise<void>;
}

const glance = (): Glance => ({
  isExporting: true,
  blindReason: null,
  suspects: [],
  settings: aSnapshot().settings,
});

const health = (name: string, ...decisions: Partial<RecordedDecision>[]) =>
  [`checkBackendHealth.${name}`, { workflowType: 'checkBackendHealth', decisions }] as const;

const TAKING_UP: TaskScenario = {
  workflowType: 'checkUserMoves',
  isEndless: true,
  activities: {
    keepMoves: () => Promise.resolve({ snapshotId: 'snapshot-1' }),
    lookForForeignMoves: () =>
      Promise.resolve({
        siteName: 'north',
        takenAtMs: Date.now(),
        settings: aSnapshot().settings,
        situation: {
          automation: 'running',
          features: aSnapshot().features,
        },
        moves: [],
      } as unknown as ForeignMovesSeen),
    readMoves: () =>
      Promise.resolve({
        takenAtMs: Date.now(),
        isOwner: true,
        epoch: 1,
        settings: aSnapshot().settings,
        open: [{ operation: aRow({ updatedAtMs: 0 }), isMoverRunning: false, chunks: [] }],
      }),
  },
};

const TASKS: Readonly<Record<string, TaskScenario>> = {
  ...Object.fromEntries([
    health('partial', { kind: 'movePartially', reason: 'FailureRateDegraded' }),
    health('paused', { kind: 'pauseOperation', reason: 'AutomationPaused' }),
    health('resumed', { kind: 'resumeOperation', reason: 'AutomationResumed' }),
    health('set-online', { kind: 'setOnline', reason: 'ProbesSucceed' }),
    health('recorded-within', { kind: 'pauseOperation', reason: 'AutomationPaused' }),
    health('set-offline', { kind: 'setOffline', reason: 'CatastropheProtection' }),
  ]),
  'evacuateZeroLoadFactorHosts.drain': {
    workflowType: 'evacuateZeroLoadFactorHosts',
    decisions: [{ kind: 'drain' }, { kind: 'endDrain' }],
  },
  'rebalanceSites.moving': {
    workflowType: 'rebalanceSites',
    decisions: [{ kind: 'rebalance', detail: 'id-mail2' }],
  },
  'deleteStaleData.deleting': {
    workflowType: 'deleteStaleData',
    decisions: [{ kind: 'deleteRows' }],
    activities: {
      readReferences: ({ snapshotId }) =>
        Promise.resolve({
          snapshotId,
          siteIds: [],
          backendIds: [],
          references: [],
          usersByBackend: {},
        }),
      deleteRows: () => Promise.resolve(),
    },
  },
  'checkSiteReachability.reading': {
    workflowType: 'checkSiteReachability',
    activities: { readSiteReachability: () => Promise.resolve({ reachable: 1, unreachable: 0 }) },
  },
  'checkUserMoves.taking-up': TAKING_UP,
  'checkUserMoves.reading-within': TAKING_UP,
  'cacheMetrics.reading-within': {
    workflowType: 'cacheMetrics',
    isEndless: true,
    activities: { cacheLatestMetrics: () => Promise.resolve(glance()) },
  },
  'cacheMetrics.failing-within': {
    workflowType: 'cacheMetrics',
    isEndless: true,
    activities: { cacheLatestMetrics: () => Promise.reject(new Error('Prometheus is silent')) },
  },
  'cacheMetrics.longer-than-a-workflow-task': {
    workflowType: 'cacheMetrics',
    isEndless: true,
    workflowTaskTimeout: '1s',
    activities: {
      cacheLatestMetrics: async () => {
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        return glance();
      },
    },
  },
  'cacheMetrics.paused-in-memo': {
    workflowType: 'cacheMetrics',
    isEndless: true,
    activities: { cacheLatestMetrics: () => Promise.resolve(glance()) },
    meanwhile: async (workflowId) => {
      const task = rig.client.workflow.getHandle(workflowId);
      await task.signal(pauseTaskSignal, 'ann: look');
      await task.signal(resumeTaskSignal);
    },
  },
};

function taskActivities({ decisions = [], activities }: TaskScenario, runs: { count: number }) {
  const snapshot = aSnapshot({ epoch: 1 });
  const played: Partial<Activities> = {
    takeSnapshot: () => Promise.resolve({ snapshotId: 'snapshot-1', snapshot }),
    recordDecisions: () => Promise.resolve(decisions.map(decided)),
    recordTaskRun: () => Promise.resolve(void (runs.count += 1)),
    requestMoves: ({ operationId }) => Promise.resolve({ answer: 'accepted', operationId }),
    controlMover: () => Promise.resolve(true),
    changeStatus: ({ status }) => Promise.resolve(status),
    setAcceptNewUsers: () => Promise.resolve(),
    notePartialMove: () => Promise.resolve(),
    noteBalanced: () => Promise.resolve(),
    ...activities,
  };
  return played;
}

async function recordTask(name: string, scenario: TaskScenario): Promise<void> {
  const runs = { count: 0 };
  const stop = await rig.startWorker(taskActivities(scenario, runs));
  const workflowId = `record-${name}-${crypto.randomUUID()}`;
  try {
    const handle = await rig.client.workflow.start(scenario.workflowType, {
      workflowId,
      taskQueue: rig.taskQueue,
      args: [{ siteName: 'north', intervalSecs: 1 }],
      ...(scenario.workflowTaskTimeout === undefined
        ? {}
        : { workflowTaskTimeout: scenario.workflowTaskTimeout }),
    });
    await scenario.meanwhile?.(workflowId);
    if (scenario.isEndless === true) {
      await eventually('it has run twice', () => runs.count >= 2);
      await handle.terminate('recorded');
    } else await handle.result();
  } finally {
    await stop();
  }
  await write(workflowId, name);
}

for (const [name, scenario] of Object.entries(MOVERS)) await recordMover(name, scenario);
for (const [name, scenario] of Object.entries(TASKS)) await recordTask(name, scenario);
await rig.close();
