/** What a run leaves for the judges: plain data, whoever wrote it down. */
import type { AutomationState, HealthVerdict } from '../../workflows/domain/cluster-snapshot.ts';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import type { FeatureState } from '../../workflows/domain/feature-flag.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { ChunkInFlight, LedgerRow } from '../../workflows/domain/user-move.ts';
import type { LoggedHomeChange } from '../system/home-changes.ts';
import type { DoubleSession } from '../system/observer.ts';
import type { FaultRecord } from './nemesis.ts';
import type { ActionRecord } from './operator.ts';

/** The GeoDB at one moment. */
export interface ClusterLook {
  readonly totalUsers: number;
  /** Users by host name of their home. */
  readonly users: ReadonlyMap<string, number>;
  /** Users whose move is under way, by host name of their home. */
  readonly moving: ReadonlyMap<string, number>;
  readonly statuses: ReadonlyMap<string, string>;
  readonly loadFactors: ReadonlyMap<string, number>;
}

/** The controller's own keyspace at one moment. */
export interface SiteLook {
  readonly site: string;
  readonly automation: AutomationState;
  /** By host name of the Backend. */
  readonly verdicts: ReadonlyMap<string, HealthVerdict>;
  readonly healthFeature: ReadonlyMap<string, FeatureState>;
  readonly balanceFeature: ReadonlyMap<string, FeatureState>;
  /** Open ones, and each once more after its end. */
  readonly operations: readonly Operation[];
  readonly inFlight: readonly ChunkInFlight[];
}

/** One second of a run; whatever did not answer is null. */
export interface Look {
  /** When it began and when all of it was read. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly cluster: ClusterLook | null;
  readonly sites: readonly (SiteLook | null)[];
}

/** A home that was seen on one Backend and, at the next look that could see it, on another. */
export interface SeenChange {
  readonly user: string;
  readonly from: string;
  readonly to: string;
  /** The looks before and after. */
  readonly afterMs: number;
  readonly beforeMs: number;
}

/** What the acting decisions saw. */
export interface ActingDecision {
  readonly decision: RecordedDecision;
  readonly takenAtMs: number;
  readonly automation: AutomationState;
  readonly isBlind: boolean;
  /** Effective at its Backend, of the feature that the decision needs; null: it needs none. */
  readonly feature: FeatureState | null;
}

export interface Limits {
  readonly maxParallelMoves: number;
  readonly maxParallelInflow: number;
  readonly failureCoolTimeSecs: number;
  readonly balanceCoolTimeSecs: number;
  /** After so long a change must have been seen by every task. */
  readonly cycleSecs: number;
}

export interface RunRecord {
  readonly startedAtMs: number;
  /** When the last fault was taken back. */
  readonly healedAtMs: number;
  /** When everything was at rest; null: it never was. */
  readonly calmAtMs: number | null;
  /** What kept it from being calm, at the last look. */
  readonly unrest: readonly string[];
  readonly usersAtStart: number;
  readonly limits: Limits;
  /** Host names of Backends by id. */
  readonly hosts: ReadonlyMap<string, string>;
  readonly looks: readonly Look[];
  readonly changes: readonly SeenChange[];
  readonly doubles: readonly DoubleSession[];
  /** Created since the start, as their rows are in the end. */
  readonly operations: readonly Operation[];
  readonly ledger: readonly LedgerRow[];
  readonly homeLog: readonly LoggedHomeChange[];
  readonly decisions: readonly RecordedDecision[];
  readonly acting: readonly ActingDecision[];
  readonly faults: readonly FaultRecord[];
  readonly actions: readonly ActionRecord[];
  readonly mail: MailFindings;
  readonly leftovers: Leftovers;
}

export interface MailFindings {
  readonly accepted: number;
  readonly lost: readonly string[];
  readonly unexplainedDoubles: readonly string[];
  readonly unread: readonly string[];
}

/** After everything is at rest, none of these should be there. */
export interface Leftovers {
  /** `user on host`, who lives elsewhere. */
  readonly strangers: readonly string[];
  readonly movingUsers: readonly string[];
  readonly chunksInFlight: readonly string[];
  readonly closedBackends: readonly string[];
  /** Parts that died although nobody killed them. */
  readonly diedAlone: readonly string[];
  /** Lines of a worker that tell of a workflow which no longer replays, or of a broken promise in code. */
  readonly brokenWorkflows: readonly string[];
}

export interface Violation {
  readonly invariant: string;
  readonly detail: string;
  readonly atMs: number;
}
