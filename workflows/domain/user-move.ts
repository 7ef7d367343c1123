/** Where a user lives, and the ledger of moves. */
export interface UserHome {
  readonly username: string;
  readonly backendId: string;
  readonly altBackendId: string | null;
  readonly isMoving: boolean;
  /** When the home last changed; null: never. */
  readonly lastMovedMs: number | null;
}

/** A UserHome with Cassandra WRITETIME(backend_id) in microseconds. */
export interface UserHomeWithWriteTime extends UserHome {
  readonly homeWrittenAtMicros: number;
}

/** planned -> sent -> confirmed | skipped | failed. Only the mover writes it. */
export const LEDGER_STATES = ['planned', 'sent', 'confirmed', 'skipped', 'failed'] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];

export type LedgerReason =
  | 'AlreadyOnTarget'
  | 'MovedElsewhere'
  | 'UserGone'
  | 'CoolTime'
  | 'Cancelled'
  | 'NoTargetLeft'
  | 'RetriesExhausted'
  | 'Forced'
  | 'CountFallback'
  | 'MoveEnded'
  | 'MoveCleared'
  | 'EndLost';

/** One row per user and operation; a repeat writes the same row. */
export interface LedgerRow {
  readonly operationId: string;
  /** The bucket: chunk numbers count up from 0 within an operation. */
  readonly chunk: number;
  readonly username: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly state: LedgerState;
  readonly reason: LedgerReason | null;
  /** Attempts so far: 0 while planned. */
  readonly attempts: number;
  /** Write timestamp of the attempt in microseconds; repeats of the attempt reuse it. */
  readonly moveTimestampMicros: number | null;
  readonly isForced: boolean;
  readonly sentAtMs: number | null;
  readonly endedAtMs: number | null;
}

/** A row as planning writes it, before anything is sent. */
export function planRow(
  about: Pick<LedgerRow, 'operationId' | 'chunk' | 'username' | 'sourceId' | 'targetId'>,
): LedgerRow {
  const { operationId, chunk, username, sourceId, targetId } = about;
  return {
    operationId,
    chunk,
    username,
    sourceId,
    targetId,
    state: 'planned',
    reason: null,
    attempts: 0,
    moveTimestampMicros: null,
    isForced: false,
    sentAtMs: null,
    endedAtMs: null,
  };
}

/** Always planned = confirmed + skipped + failed + remaining. */
export interface MoveCounts {
  readonly planned: number;
  readonly confirmed: number;
  readonly skipped: number;
  readonly failed: number;
  readonly remaining: number;
}

export const NO_MOVES: MoveCounts = {
  planned: 0,
  confirmed: 0,
  skipped: 0,
  failed: 0,
  remaining: 0,
};

export function addMoveCounts(a: MoveCounts, b: MoveCounts): MoveCounts {
  return {
    planned: a.planned + b.planned,
    confirmed: a.confirmed + b.confirmed,
    skipped: a.skipped + b.skipped,
    failed: a.failed + b.failed,
    remaining: a.remaining + b.remaining,
  };
}

/** A chunk with rows that have been sent and not ended; one row of `moves_in_flight`. */
export interface ChunkInFlight {
  readonly siteName: string;
  readonly sourceId: string;
  readonly operationId: string;
  readonly chunk: number;
  readonly targetId: string;
  readonly remaining: number;
  readonly attempts: number;
  readonly sentAtMs: number;
}

/** A user whom somebody asked to be moved, by name: only in the controller store, never in a payload. */
export interface SelectedUser {
  readonly username: string;
  /** Null: any of the operation's targets. */
  readonly targetId: string | null;
}

/** A move that is under way and that no operation of ours began; since when is our own first sight. */
export interface ForeignMove {
  readonly username: string;
  readonly sourceId: string;
  /** Null: the GeoDB does not say where to. */
  readonly targetId: string | null;
  readonly firstSeenAtMs: number;
}

/** Foreign moves of one source, without names. */
export interface ForeignMoveCount {
  readonly sourceId: string;
  readonly users: number;
  readonly oldestSeenAtMs: number;
}

/** The last look for foreign moves. */
export interface ForeignMoveScan {
  readonly scannedAtMs: number;
  readonly tookMs: number;
  /** There were more moves than one look reads. */
  readonly isPartial: boolean;
  readonly sources: readonly ForeignMoveCount[];
}
