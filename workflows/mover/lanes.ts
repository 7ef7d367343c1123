/** Sends the chunks of a round in a few lanes at a time. */
import { condition, patched } from '@temporalio/workflow';
import type { Room } from '../../activities/claim-room.ts';
import type { CountedChunk, MovedChunk } from '../../activities/move-chunk.ts';
import { moverActivities } from '../activity-options.ts';
import type { MoverState, OpenChunk } from '../contract.ts';
import { LANES } from '../policy/plan-evacuation.ts';
import { allEnded } from './all-ended.ts';

/** Time that a chunk took beyond it was waiting for somebody, not work: no reason to rest for. */
const LONGEST_WORK_MS = 2_000;
const COUNTS_WHAT_IS_OPEN = 'inflow-counts-what-is-open';

export interface LaneControl {
  /** True: start no further chunk. */
  isHeld(): boolean;
  speedPercent(): number;
  /** Users whom other movers are sending right now, by target. */
  inflowOfOthers(): Readonly<Record<string, number>>;
  /** Waits a moment for others to be done, and looks again. */
  awaitOthers(): Promise<void>;
  onMoved(moved: MovedChunk): Promise<void>;
}

export interface LaneLimits {
  readonly maxParallelMoves: number;
  readonly maxParallelInflow: number;
}

/** The settings' defaults, for the little that is sent before a run has read them. */
export const DEFAULT_LIMITS: LaneLimits = { maxParallelMoves: 100, maxParallelInflow: 200 };

/**
 * Runs until all given chunks were sent once, or until it is told to hold.
 *
 * @param onTheWay users of this mover who were sent before and have not ended, by target.
 * @returns false where those alone leave no room: they have to be looked after first.
 */
export async function runLanes(
  state: MoverState,
  chunks: readonly OpenChunk[],
  { limits, onTheWay }: { readonly limits: LaneLimits; readonly onTheWay: Map<string, number> },
  control: LaneControl,
): Promise<boolean> {
  const waiting = [...chunks];
  const countsOpen = patched(COUNTS_WHAT_IS_OPEN);
  const inflow = createInflow(countsOpen ? onTheWay : []);
  let hasFailed = false;
  const send = async (chunk: OpenChunk, speedPercent: number): Promise<MovedChunk> => {
    const ownInflow = inflow.of(chunk);
    inflow.add(chunk, chunk.counts.remaining);
    try {
      const room = { maxInflow: limits.maxParallelInflow, ownInflow };
      return await sendChunk(state, chunk, 'send', { ...atSpeed(limits, speedPercent), room });
    } catch (failure) {
      hasFailed = true;
      throw failure;
    }
  };
  const lane = async (speedPercent: number): Promise<void> => {
    for (;;) {
      // at another speed there are more lanes, or fewer
      if (hasFailed || control.isHeld() || control.speedPercent() !== speedPercent) return;
      const others = control.inflowOfOthers();
      const index = waiting.findIndex((chunk) => {
        return hasRoom(chunk, inflow.of(chunk) + (others[chunk.targetId] ?? 0), limits);
      });
      const chunk = waiting[index];
      // Whatever holds the room back runs in another lane, which looks again when it is done.
      if (chunk === undefined) return;
      waiting.splice(index, 1);
      const startedAtMs = Date.now();
      const moved = await send(chunk, speedPercent);
      // Whoever was sent and has not arrived is still on his way.
      const isHeldBack = moved.isHeldBack === true;
      const stays = countsOpen && !isHeldBack ? moved.counts.remaining : 0;
      inflow.add(chunk, stays - chunk.counts.remaining);
      await control.onMoved(moved);
      // Another mover was quicker: it waits with the others for whom there is no room.
      if (isHeldBack) {
        waiting.push({ ...chunk, counts: moved.counts });
        return;
      }
      await rest(control, speedPercent, Date.now() - startedAtMs);
    }
  };
  while (waiting.length > 0 && !control.isHeld()) {
    const speedPercent = control.speedPercent();
    const lanes = Math.max(1, Math.round((LANES * speedPercent) / 100));
    const before = waiting.length;
    await allEnded(Array.from({ length: lanes }, () => lane(speedPercent)));
    const isUnchanged = waiting.length === before && control.speedPercent() === speedPercent;
    if (!isUnchanged || control.isHeld()) continue;
    if (waiting.every((chunk) => !hasRoom(chunk, inflow.of(chunk), limits))) return false;
    await control.awaitOthers();
  }
  return true;
}

/** Users whom this mover has on their way, by target. */
function createInflow(onTheWay: Iterable<readonly [string, number]>) {
  const users = new Map(onTheWay);
  const of = ({ targetId }: OpenChunk): number => users.get(targetId) ?? 0;
  const add = (chunk: OpenChunk, by: number): void => {
    users.set(chunk.targetId, of(chunk) + by);
  };
  return { of, add };
}

/** Who moves more slowly has fewer users without their sessions at a time. */
export function atSpeed(
  { maxParallelMoves }: Pick<LaneLimits, 'maxParallelMoves'>,
  speedPercent: number,
): Pick<SendLimits, 'maxParallelMoves'> {
  return { maxParallelMoves: Math.max(1, Math.round((maxParallelMoves * speedPercent) / 100)) };
}

export interface SendLimits {
  readonly maxParallelMoves: number;
  /** Absent for what was sent before. */
  readonly room?: Room;
}

export function sendChunk(
  state: MoverState,
  chunk: OpenChunk,
  mode: 'send' | 'force' | 'check' | 'cancel',
  { maxParallelMoves, room }: SendLimits,
): Promise<MovedChunk> {
  const { request } = state;
  const isForced = mode === 'send' && request.isForced;
  return moverActivities.moveChunk({
    siteName: request.siteName,
    operationId: request.operationId,
    kind: request.kind,
    cause: request.cause,
    chunk: chunk.chunk,
    sourceId: request.sourceId,
    sourceHost: request.sourceHost,
    mode: isForced ? 'force' : mode,
    maxParallel: maxParallelMoves,
    ...(room === undefined ? {} : { room }),
    minLastMovedSecs: request.minLastMovedSecs,
    ...(chunk.isRetargeted === true ? { targetId: chunk.targetId } : {}),
    ...(chunk.isCounted === true ? { counted: countedOf(chunk) } : {}),
    epoch: request.epoch ?? null,
  });
}

function countedOf({ targetId, counts, answeredAtMs }: OpenChunk): CountedChunk {
  return { users: counts.planned, targetId, answeredAtMs: answeredAtMs ?? null };
}

/** At most MAX_PARALLEL_INFLOW users on their way to one target, by all movers; a single chunk always may. */
function hasRoom(chunk: OpenChunk, there: number, limits: LaneLimits): boolean {
  return there === 0 || there + chunk.counts.remaining <= limits.maxParallelInflow;
}

/**
 * A quarter of the speed is one lane; below it the lane rests after each chunk, until it is told to
 * hold or to go at another speed.
 */
async function rest(control: LaneControl, speedPercent: number, tookMs: number): Promise<void> {
  const perLane = (LANES * speedPercent) / 100;
  if (perLane >= 1) return;
  const restMs = Math.min(tookMs, LONGEST_WORK_MS) * (1 / perLane - 1);
  const isOver = (): boolean => control.isHeld() || control.speedPercent() !== speedPercent;
  await condition(isOver, Math.max(1, Math.round(restMs)));
}
