/** All that an outsider needs to talk to the workflows: names, ids, inputs, results, messages. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { MoveOrder, Operation, OperationCause, OperationKind } from './domain/operation.ts';
import type { TaskName } from './domain/decision.ts';
import type { MoveCounts } from './domain/user-move.ts';

/** One task queue a site. */
export const taskQueueOf = (siteName: string): string => `dovekeeper/${siteName}`;

/** The lock: one mover a source Backend. */
export const moverIdOf = (siteName: string, sourceHost: string): string =>
  `move-users-off/${siteName}/${sourceHost}`;

/** Endless workflows (5-second tasks) and schedules bear the same kind of id. */
export const taskIdOf = (siteName: string, task: TaskName): string => `${task}/${siteName}`;

export const MOVER_WORKFLOW = 'moveUsersOff';

export interface TaskInput {
  readonly siteName: string;
  readonly intervalSecs: number;
  /** Carried along when an endless task continues as new. */
  readonly isPaused?: boolean;
  readonly pausedNote?: string;
}

/** What the memo of an endless task says beside its interval: who asks has to wait for no worker then. */
export const pauseMemo = (isPaused: boolean, note: string | undefined) => ({
  isPaused,
  pausedNote: note ?? null,
});

/** The rest are Temporal Schedules. */
export const ENDLESS_TASKS: readonly TaskName[] = ['cache_metrics', 'check_user_moves'];

/** Workflow type of each task that runs by itself. */
export const TASK_WORKFLOWS: Readonly<Partial<Record<TaskName, string>>> = {
  cache_metrics: 'cacheMetrics',
  check_user_moves: 'checkUserMoves',
  check_backend_health: 'checkBackendHealth',
  rebalance_sites: 'rebalanceSites',
  evacuate_zero_load_factor_hosts: 'evacuateZeroLoadFactorHosts',
  check_site_reachability: 'checkSiteReachability',
  delete_stale_data: 'deleteStaleData',
};

/** What a mover is started with; it also carries its own state when it continues as new. */
export interface MoverInput {
  readonly siteName: string;
  readonly sourceId: string;
  readonly sourceHost: string;
  readonly current?: MoverState | null;
  readonly inbox?: MoverInbox;
}

/** Why and by whom a mover stands still. */
export interface MoverPause {
  readonly actor: string;
  /** A reason code where automation paused it, else what the operator wrote. */
  readonly reason: string;
  readonly isByAutomation: boolean;
}

/** What was asked of a mover and is not done yet: handlers only write here, the main loop acts. */
export interface MoverInbox {
  waiting: MoveRequest | null;
  /** Accepted, then superseded before they began: their rows are still to be ended. */
  overtaken: readonly MoveRequest[];
  pause: MoverPause | null;
  /** Who resumed it last. */
  lastActor: string;
  wish: {
    readonly end: 'cancelled' | 'done' | 'superseded';
    readonly actor: string;
    readonly reason: string;
    readonly holdSecs?: number;
  } | null;
  speedPercent: number;
  targetIds: readonly string[] | null;
  /** The targets were changed, and what is planned and unsent still has the former ones. Absent: no. */
  isRetargeted?: boolean;
  /** What signals changed and is yet to be written into the audit. Absent: nothing. */
  toAudit?: readonly { readonly verb: string; readonly actor: string; readonly reason: string }[];
  retryChunks: readonly number[];
  forceChunks: readonly number[];
}

/** All that a mover remembers of a running operation: plain JSON, no user names. */
export interface MoverState {
  readonly request: MoveRequest;
  readonly operation: Operation;
  readonly cursor: string | null;
  readonly isExhausted: boolean;
  readonly nextChunk: number;
  /** Users that are in the ledger, of those wanted. */
  readonly planned: number;
  readonly roundPlanned: number;
  readonly sweeps: number;
  readonly openChunks: readonly OpenChunk[];
  readonly closed: MoveCounts;
  readonly forcedClosed: number;
  /** Absent or null: to be counted before the next round. */
  readonly known?: KnownUsers | null;
}

/** Users by Backend id: once counted, and kept up by what this mover has moved since. */
export interface KnownUsers {
  readonly countedAtMs: number;
  readonly users: Readonly<Record<string, number>>;
}

export interface OpenChunk {
  readonly chunk: number;
  readonly targetId: string;
  readonly counts: MoveCounts;
  readonly forced: number;
  readonly attempts: number;
  readonly isSent: boolean;
  readonly sentAtMs: number;
  /** The source chooses the users: it takes no list. Absent: no. */
  readonly isCounted?: boolean;
  /** Of a counted chunk: when the source said that it had done what it was asked; absent: not yet. */
  readonly answeredAtMs?: number;
  /** Its target is another one than the ledger says. Absent: no. */
  readonly isRetargeted?: boolean;
}

/** A request to the mover of one source Backend. Users are never named here. */
export interface MoveRequest extends MoveOrder {
  readonly operationId: string;
  readonly siteName: string;
  readonly kind: OperationKind;
  readonly cause: OperationCause;
  readonly sourceId: string;
  readonly sourceHost: string;
  /** Empty: `select-targets` decides. */
  readonly targetIds: readonly string[];
  readonly requestedBy: string;
  readonly reason: string;
  readonly decisionId: string | null;
  /** Of the site's claim when it was asked for: under another one its mover leaves. Null or absent: not known. */
  readonly epoch?: number | null;
  /** From its first chunk on, 1 to 100 per cent of full speed. Absent: full speed, or as it was when taken up. */
  readonly speedPercent?: number;
  /** Absent: a new operation. */
  readonly takenUp?: TakenUp;
}

/** An operation whose mover is gone, as its row told it last. */
export interface TakenUp {
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly originalCount: number;
  readonly speedPercent: number;
  readonly pause: MoverPause | null;
}

export type MoveAnswer =
  | { readonly answer: 'accepted'; readonly operationId: string }
  | { readonly answer: 'superseding'; readonly operationId: string; readonly supersededId: string }
  | { readonly answer: 'refused'; readonly runningId: string; readonly reason: string };

export interface ControlMessage {
  /** Null: any running operation of this mover. */
  readonly operationId: string | null;
  readonly actor?: string;
  readonly reason?: string;
  /** Of a cancel: how long automation keeps off the source; absent: an hour, 0: not at all. */
  readonly holdSecs?: number;
}

export interface SpeedMessage extends ControlMessage {
  /** 1 to 100, per cent of full speed. */
  readonly speedPercent: number;
}

export interface RetargetMessage extends ControlMessage {
  readonly targetIds: readonly string[];
}

export interface FollowUpMessage {
  readonly operationId: string;
  readonly retryChunks: readonly number[];
  readonly forceChunks: readonly number[];
}

export const requestMoves = defineUpdate<MoveAnswer, [MoveRequest]>('requestMoves');
export const pauseSignal = defineSignal<[ControlMessage]>('pause');
export const resumeSignal = defineSignal<[ControlMessage]>('resume');
/** Stop and keep what is moved. */
export const cancelSignal = defineSignal<[ControlMessage]>('cancel');
/** A healthy verdict ends a latched evacuation. */
export const endEarlySignal = defineSignal<[ControlMessage]>('endEarly');
export const setSpeedSignal = defineSignal<[SpeedMessage]>('setSpeed');
export const retargetSignal = defineSignal<[RetargetMessage]>('retarget');
export const followUpSignal = defineSignal<[FollowUpMessage]>('followUp');
export const progressQuery = defineQuery<Operation | null>('progress');
export const explainQuery = defineQuery<string>('explain');
/** Wakes an endless task before its interval is over. To a mover it says only that there is a worker. */
export const wakeSignal = defineSignal<[]>('wake');
/** With a note: who and why. */
export const pauseTaskSignal = defineSignal<[note?: string]>('pauseTask');
/** Another rhythm from now on, in seconds; whether it is paused stays as it is. */
export const setTaskIntervalSignal = defineSignal<[intervalSecs: number]>('setTaskInterval');
export const resumeTaskSignal = defineSignal<[]>('resumeTask');
export const taskPausedQuery = defineQuery<TaskPause>('taskPause');

export interface TaskPause {
  readonly isPaused: boolean;
  readonly note: string | null;
}

export const SEARCH_ATTRIBUTES = {
  backend: defineSearchAttributeKey('DkBackend', 'KEYWORD'),
  kind: defineSearchAttributeKey('DkKind', 'KEYWORD'),
  site: defineSearchAttributeKey('DkSite', 'KEYWORD'),
} as const;
