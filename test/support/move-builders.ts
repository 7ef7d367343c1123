/** Small builders for movers: requests, their answers and rows. */
import type { MovedChunk } from '../../activities/move-chunk.ts';
import type { PlannedRound } from '../../activities/plan-round.ts';
import type { MoveRequest } from '../../workflows/contract.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import { NO_MOVES, type ChunkInFlight } from '../../workflows/domain/user-move.ts';
import { NOW_MS } from './cluster-builders.ts';

/** A health evacuation of mail1 unless said otherwise. */
export function aRequest(fields: Partial<MoveRequest> = {}): MoveRequest {
  return {
    operationId: 'operation-1',
    siteName: 'north',
    kind: 'evacuation',
    cause: 'health',
    sourceId: 'id-mail1',
    sourceHost: 'mail1',
    targetIds: [],
    maxUsers: null,
    stepRatio: 0.2,
    minLastMovedSecs: null,
    endsOffline: true,
    isForced: false,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: 'operation-1',
    ...fields,
  };
}

export function aRow(fields: Partial<Operation> = {}): Operation {
  return {
    operationId: 'operation-1',
    siteName: 'north',
    kind: 'evacuation',
    cause: 'health',
    sourceId: 'id-mail1',
    sourceHost: 'mail1',
    targetIds: [],
    state: 'running',
    stateReason: null,
    requestedBy: 'check_backend_health',
    reason: 'FailureRateCritical',
    decisionId: 'operation-1',
    originalCount: 500,
    round: 1,
    counts: { ...NO_MOVES, planned: 500, remaining: 500 },
    stuck: 0,
    forced: 0,
    speedPercent: 100,
    createdAtMs: NOW_MS - 60_000,
    startedAtMs: NOW_MS - 59_000,
    firstConfirmedAtMs: null,
    endedAtMs: null,
    updatedAtMs: NOW_MS,
    ...fields,
  };
}

export function aChunkInFlight(fields: Partial<ChunkInFlight> = {}): ChunkInFlight {
  return {
    siteName: 'north',
    sourceId: 'id-mail1',
    operationId: 'operation-1',
    chunk: 0,
    targetId: 'id-mail2',
    remaining: 10,
    attempts: 1,
    sentAtMs: NOW_MS,
    ...fields,
  };
}

/** Chunks of the given sizes, counted up from `first`. */
export function aRound(
  first: number,
  sizes: readonly number[],
  fields: Partial<PlannedRound> = {},
): PlannedRound {
  return {
    chunks: sizes.map((users, index) => ({ chunk: first + index, targetId: 'id-mail2', users })),
    nextChunk: first + sizes.length,
    cursor: `page-${first}`,
    isExhausted: false,
    ...fields,
  };
}

/** What came of a chunk; whatever is not named remains. */
export function aMovedChunk(
  chunk: number,
  planned: number,
  ended: { confirmed?: number; skipped?: number; failed?: number },
  fields: Partial<MovedChunk> = {},
): MovedChunk {
  const { confirmed = 0, skipped = 0, failed = 0 } = ended;
  const remaining = planned - confirmed - skipped - failed;
  return {
    chunk,
    counts: { planned, confirmed, skipped, failed, remaining },
    forced: 0,
    attempts: 1,
    isSourceSilent: false,
    firstConfirmedAtMs: confirmed > 0 ? NOW_MS : null,
    refusal: null,
    ...fields,
  };
}
