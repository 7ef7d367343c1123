/** All facts that one decision was made from. */
import type { BackendStatus } from './backend.ts';
import type { Feature, FeatureState } from './feature-flag.ts';
import type { ForeignMovesView } from './foreign-moves.ts';
import type { AttemptWindow, BackendLoad, MetricsView } from './metrics.ts';
import type { Operation, OperationCause, OperationKind, OperationState } from './operation.ts';
import type { PolicySettings } from './policy-settings.ts';
import type { ReferenceReading } from './references.ts';
import type { ChunkInFlight } from './user-move.ts';

export const HEALTH_VERDICTS = ['healthy', 'degraded', 'critical', 'unknown'] as const;
export type HealthVerdict = (typeof HEALTH_VERDICTS)[number];

/** What we remember of a Backend between runs; a row of the controller store. */
export interface BackendMemory {
  readonly backendId: string;
  readonly verdict: HealthVerdict;
  readonly verdictSinceMs: number;
  /** When the verdict was last other than unknown; null: never. */
  readonly judgedAtMs: number | null;
  readonly lastPartialMoveAtMs: number | null;
  readonly lastBalancedAtMs: number | null;
  /** WRITETIME(status) of our own change to offline, microseconds; null: not set offline by us. */
  readonly offlineWrittenAtMicros: number | null;
  readonly offlineSinceMs: number | null;
  /** When it was brought back online within the last hour, ascending. */
  readonly returnedAtMs: readonly number[];
  /** A cancelled automatic operation holds automation off this Backend until then. */
  readonly operatorHoldUntilMs: number | null;
  /** Every user there was moved lately: until then balancing would find nobody to move off it. Absent: not known to. */
  readonly usersRestUntilMs?: number;
}

export interface RunningOperation {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly cause: OperationCause;
  readonly state: OperationState;
  readonly stateReason: string | null;
  readonly remaining: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface BackendFacts {
  readonly id: string;
  readonly host: string;
  readonly status: BackendStatus;
  readonly loadFactor: number;
  readonly statusWrittenAtMicros: number | null;
  readonly userCount: number | null;
  readonly isDoveadmReachable: boolean;
  readonly attempts: readonly AttemptWindow[];
  readonly load: BackendLoad | null;
  readonly memory: BackendMemory | null;
  readonly operation: RunningOperation | null;
  /** Effective states at this Backend where they differ from the site's. */
  readonly features: Partial<Readonly<Record<Feature, FeatureState>>>;
}

/** An operation that has not ended, with the moves of it that were sent and have not ended. */
export interface OpenOperation {
  readonly operation: Operation;
  readonly isMoverRunning: boolean;
  readonly chunks: readonly ChunkInFlight[];
}

/** What `check_user_moves` looks at. */
export interface MovesSnapshot {
  readonly takenAtMs: number;
  readonly isOwner: boolean;
  /** Of the site's claim. */
  readonly epoch: number;
  readonly settings: PolicySettings;
  readonly open: readonly OpenOperation[];
  /** Notes of chunks on their way whose operation has ended: nobody else will take them back. Absent: none. */
  readonly forgotten?: readonly ChunkInFlight[];
  /** Only where moves that somebody else began were decided about. */
  readonly foreign?: ForeignMovesView;
}

export type AutomationState = 'running' | 'paused';

export interface ClusterSnapshot {
  readonly takenAtMs: number;
  readonly siteId: string;
  readonly siteName: string;
  readonly isOwner: boolean;
  /** Of the site's claim; absent in snapshots of releases that did not note it. */
  readonly epoch?: number;
  readonly automation: AutomationState;
  readonly features: Readonly<Record<Feature, FeatureState>>;
  readonly settings: PolicySettings;
  readonly metrics: MetricsView;
  /** Sorted by host. */
  readonly backends: readonly BackendFacts[];
  /** Only where `delete_stale_data` decided: what it went through. */
  readonly references?: ReferenceReading;
  /** Only where `check_user_moves` decided. */
  readonly moves?: MovesSnapshot;
}

/** A stored snapshot: the id is the hash of its content. */
export interface StoredSnapshot {
  readonly snapshotId: string;
  readonly snapshot: ClusterSnapshot;
}
