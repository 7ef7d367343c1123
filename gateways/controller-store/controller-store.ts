/** Our own keyspace: decisions and snapshots, operations and their ledger, memory of Backends, audit. */
import type { BackendReachability } from '../../workflows/domain/backend.ts';
import type {
  ClusterSnapshot,
  AutomationState,
  BackendMemory,
} from '../../workflows/domain/cluster-snapshot.ts';
import type { RecordedDecision, TaskName } from '../../workflows/domain/decision.ts';
import type { FeatureLevel, Feature, FeatureState } from '../../workflows/domain/feature-flag.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type {
  ChunkInFlight,
  ForeignMove,
  ForeignMoveScan,
  LedgerRow,
  SelectedUser,
} from '../../workflows/domain/user-move.ts';

export interface AutomationSwitch {
  readonly siteName: string;
  readonly state: AutomationState;
  readonly setBy: string;
  readonly reason: string;
  readonly setAtMs: number;
  /** Paused until then; null: until somebody resumes it. Evaluated when reading. */
  readonly untilMs: number | null;
}

/** Who set a flag, why and until when; the flag's value itself is in the GeoDB. */
export interface FeatureOverride {
  readonly level: FeatureLevel;
  readonly targetId: string;
  readonly feature: Feature;
  readonly state: FeatureState | null;
  readonly setBy: string;
  readonly reason: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number | null;
  readonly formerState: FeatureState | null;
}

export interface AuditEntry {
  readonly siteName: string;
  readonly atMs: number;
  readonly actor: string;
  /** Verb and noun: `operation.pause`, `feature.set`, `session.refused`. */
  readonly action: string;
  readonly target: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly reason: string | null;
  readonly detail: string | null;
  readonly requestId: string | null;
}

export interface TaskRun {
  readonly siteName: string;
  readonly task: TaskName;
  readonly lastStartedAtMs: number | null;
  readonly lastSucceededAtMs: number | null;
  readonly lastDurationMs: number | null;
  readonly lastError: string | null;
  readonly lastErrorAtMs: number | null;
  /** Start of the first failed run since the last success; null: the last run succeeded. */
  readonly failingSinceMs: number | null;
  /** Counts by outcome of the last run. */
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface DecisionQuery {
  readonly siteName: string;
  readonly task?: TaskName;
  readonly host?: string;
  readonly kind?: string;
  /** Opaque; null: from the newest. */
  readonly cursor?: string | null;
  readonly limit: number;
}

export interface DecisionPage {
  readonly decisions: readonly RecordedDecision[];
  readonly cursor: string | null;
}

export interface OperationPage {
  readonly operations: readonly Operation[];
  readonly cursor: string | null;
}

/** Every method throws GatewayError{system: 'cassandra'}. */
/** Who writes rows of the ledger: of two, the later one holds. */
export interface LedgerWriter {
  /** When Temporal scheduled the attempt: one clock for all workers. */
  readonly scheduledAtMs: number;
}

export interface ControllerStore {
  ping(): Promise<void>;

  /** Stored compressed under the hash of its content; answers that id. Idempotent. TTL 7 days unless `keep`. */
  saveSnapshot(snapshot: ClusterSnapshot, options: { keep: boolean }): Promise<string>;
  readSnapshot(snapshotId: string): Promise<ClusterSnapshot | null>;

  /** Insert or overwrite by decisionId. */
  saveDecisions(decisions: readonly RecordedDecision[]): Promise<void>;
  readDecisions(query: DecisionQuery): Promise<DecisionPage>;
  readDecision(siteName: string, decisionId: string): Promise<RecordedDecision | null>;
  /** The last recorded "nothing" rows of a task, to coalesce equal ones: one by (task, reason, hosts) key. */
  readLastNothings(siteName: string, task: TaskName): Promise<RecordedDecision[]>;
  /** Replaces that list. */
  saveLastNothings(
    siteName: string,
    task: TaskName,
    decisions: readonly RecordedDecision[],
  ): Promise<void>;

  /** Plain upsert; `updatedAtMs` orders writes (USING TIMESTAMP), so a late older write loses. */
  saveOperation(operation: Operation): Promise<void>;
  readOperation(operationId: string): Promise<Operation | null>;
  /** Newest first. */
  listOperations(
    siteName: string,
    options: { limit: number; cursor?: string | null },
  ): Promise<OperationPage>;
  /** Not ended, of this site: read by a small index table, not by scan. */
  listOpenOperations(siteName: string): Promise<Operation[]>;

  /** Upsert by (operation, chunk, username); rows of one chunk only. */
  saveLedgerRows(rows: readonly LedgerRow[], by?: LedgerWriter): Promise<void>;
  readLedgerChunk(operationId: string, chunk: number): Promise<LedgerRow[]>;
  /** Pages over all chunks, for UI and observers. */
  pageLedger(
    operationId: string,
    options: { limit: number; cursor: string | null; state?: LedgerRow['state'] },
  ): Promise<{ rows: LedgerRow[]; cursor: string | null }>;
  /** Newest first, at most `limit`. */
  readMovesOfUser(username: string, limit: number): Promise<LedgerRow[]>;

  saveChunkInFlight(chunk: ChunkInFlight): Promise<void>;
  removeChunkInFlight(
    siteName: string,
    sourceId: string,
    operationId: string,
    chunk: number,
  ): Promise<void>;
  readChunksInFlight(siteName: string): Promise<ChunkInFlight[]>;
  /** Without those of one source, however many they are: these are not even read. */
  readChunksOfOthers(siteName: string, sourceId: string): Promise<ChunkInFlight[]>;

  /** Adds users to a list; a repeat writes the same rows. Forgotten after 7 days. */
  saveSelectedUsers(selectionId: string, users: readonly SelectedUser[]): Promise<void>;
  /** The whole list, in the order of names. */
  readSelectedUsers(selectionId: string): Promise<SelectedUser[]>;

  /** Who lived on the source before users were moved off it by count. All or nothing; kept for 7 days. */
  saveHomesBefore(operationId: string, chunk: number, usernames: readonly string[]): Promise<void>;
  /** null: not written, or not to its end. */
  readHomesBefore(operationId: string, chunk: number): Promise<string[] | null>;

  readForeignMoves(siteName: string): Promise<ForeignMove[]>;
  saveForeignMoves(siteName: string, moves: readonly ForeignMove[]): Promise<void>;
  removeForeignMoves(
    siteName: string,
    moves: readonly Pick<ForeignMove, 'sourceId' | 'username'>[],
  ): Promise<void>;
  /** null: nobody has looked yet. */
  readForeignMoveScan(siteName: string): Promise<ForeignMoveScan | null>;
  saveForeignMoveScan(siteName: string, scan: ForeignMoveScan): Promise<void>;

  readBackendMemories(siteName: string): Promise<BackendMemory[]>;
  /** Of a Backend that is gone from the GeoDB. */
  removeBackendMemory(siteName: string, backendId: string): Promise<void>;
  /** Merges the given fields into the row: others are kept. */
  updateBackendMemory(
    siteName: string,
    memory: Partial<BackendMemory> & { readonly backendId: string },
  ): Promise<void>;
  /** The same for many of a site, side by side. */
  updateBackendMemories(
    siteName: string,
    memories: readonly (Partial<BackendMemory> & { readonly backendId: string })[],
  ): Promise<void>;
  /** Read back as `usersRestUntilMs` of a Backend that something else is remembered of; forgotten when it is over. */
  noteUsersRest(siteName: string, backendId: string, untilMs: number): Promise<void>;

  /** As last looked at, each Backend that was; empty: nobody looked yet. */
  readReachability(siteName: string): Promise<BackendReachability[]>;
  /** Replaces that list. */
  saveReachability(siteName: string, backends: readonly BackendReachability[]): Promise<void>;

  readAutomation(siteName: string): Promise<AutomationSwitch | null>;
  saveAutomation(automation: AutomationSwitch): Promise<void>;
  readFeatureOverrides(): Promise<FeatureOverride[]>;
  saveFeatureOverride(override: FeatureOverride): Promise<void>;

  saveTaskRun(run: TaskRun): Promise<void>;
  readTaskRuns(siteName: string): Promise<TaskRun[]>;

  appendAudit(entry: AuditEntry): Promise<void>;
  readAudit(siteName: string, options: { limit: number; beforeMs?: number }): Promise<AuditEntry[]>;
}
