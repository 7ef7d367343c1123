/** The mover of one source: the real books, the real selection, and moves that take their time. */
import type { MoveAnswer, MoveRequest, MoverState, OpenChunk } from '../../workflows/contract.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import type { Operation, OperationState } from '../../workflows/domain/operation.ts';
import type { ChunkInFlight } from '../../workflows/domain/user-move.ts';
import {
  addMoved,
  addRound,
  become,
  nextStep,
  openBook,
  openRemaining,
  toRow,
  wantedLeft,
} from '../../workflows/mover/book.ts';
import { answerRequest, emptyInbox } from '../../workflows/mover/inbox.ts';
import { chooseUsers, type SelectionRule } from '../../workflows/policy/choose-users.ts';
import { chunkSizeOf, roundSize } from '../../workflows/policy/plan-evacuation.ts';
import { selectTargets, type TargetCandidate } from '../../workflows/policy/select-targets.ts';
import { TICK_SECS } from './look-back.ts';
import type { SimulatedBackend } from './simulated-backend.ts';
import type { SimulatedSite } from './simulated-site.ts';

const USERS_PER_SEC = 200;
const PAGE_SIZE = 1_000;

/** What a mover reads before each round, and whom it tells. */
export interface MoverWorld {
  readonly site: SimulatedSite;
  readonly settings: PolicySettings;
  candidates(sourceId: string): TargetCandidate[];
  /** Why automation may not go on by itself; null: it may. */
  holdOf(request: MoveRequest): string | null;
  onRound(request: MoveRequest, quotas: readonly { backendId: string; users: number }[]): void;
  onMove(request: MoveRequest, user: number, source: number, target: number): void;
  onEnd(operation: Operation): void;
  changeStatus(backend: SimulatedBackend, status: 'offline'): void;
  holdAutomation(backend: SimulatedBackend): void;
}

export class SimulatedMover {
  state: MoverState | null = null;
  readonly inbox = emptyInbox();
  private readonly users = new Map<number, number[]>();
  private readonly source: SimulatedBackend;
  private readonly world: MoverWorld;

  constructor(source: SimulatedBackend, world: MoverWorld) {
    this.source = source;
    this.world = world;
  }

  /** Open, as the controller's store lists it; null: nothing is asked of it. */
  operation(): Operation | null {
    const { state, inbox, world } = this;
    if (state !== null) return toRow(state, inbox, world.site.nowMs);
    return inbox.waiting === null ? null : openBook(inbox.waiting, world.site.nowMs).operation;
  }

  chunksInFlight(): ChunkInFlight[] {
    const { state } = this;
    if (state === null) return [];
    const { siteName, sourceId, operationId } = state.request;
    return state.openChunks
      .filter(({ isSent }) => isSent)
      .map(({ chunk, targetId, counts, attempts, sentAtMs }) => {
        const { remaining } = counts;
        const of = { siteName, sourceId, operationId };
        return { ...of, chunk, targetId, remaining, attempts, sentAtMs };
      });
  }

  request(request: MoveRequest): MoveAnswer {
    return answerRequest(this.inbox, this.state?.request ?? null, request);
  }

  pause(reason: string, isByAutomation: boolean): void {
    const { inbox } = this;
    if (isByAutomation && inbox.pause !== null) return;
    inbox.pause = { actor: 'check_backend_health', reason, isByAutomation };
  }

  resume(): void {
    if (this.inbox.pause?.isByAutomation === true) this.inbox.pause = null;
  }

  end(end: 'done' | 'cancelled', actor: string): void {
    this.inbox.wish ??= { end, actor, reason: '' };
  }

  /** What a few seconds are enough for. */
  tick(): void {
    let budget = USERS_PER_SEC * TICK_SECS;
    for (let step = 0; step < 100; step += 1) {
      if (this.state === null && !this.take()) return;
      if (this.inbox.wish !== null) {
        this.close(this.inbox.wish.end, this.inbox.wish.actor);
        continue;
      }
      if (this.inbox.pause !== null) {
        this.become('paused', this.inbox.pause.reason);
        return;
      }
      if (this.opened().operation.state === 'paused') this.become('running', null);
      const next = this.follow() ? 'settle' : nextStep(this.opened());
      if (next === 'send') {
        if (budget <= 0) return;
        budget -= this.send();
      } else if (next === 'settle') return;
      else if (next === 'plan') {
        if (!this.plan()) return;
      } else this.verify();
    }
  }

  private opened(): MoverState {
    if (this.state === null) throw new Error('a step belongs to an operation');
    return this.state;
  }

  private become(to: OperationState, reason: string | null): void {
    this.state = become(this.opened(), to, reason);
  }

  private take(): boolean {
    const request = this.inbox.waiting;
    if (request === null) return false;
    const { site } = this.world;
    Object.assign(this.inbox, emptyInbox());
    const count = site.crowd.count(site.indexOf(request.sourceId));
    const state = openBook(request, site.nowMs);
    const originalCount = Math.min(count, request.maxUsers ?? count);
    this.state = { ...state, operation: { ...state.operation, originalCount } };
    if (request.maxUsers === null) this.source.isAcceptingNewUsers = false;
    this.become('running', null);
    return true;
  }

  /** False: there is nothing to do now. */
  private plan(): boolean {
    const { request, operation } = this.opened();
    const hold = this.world.holdOf(request);
    if (hold !== null) {
      this.pause(hold, true);
      return true;
    }
    const { crowd } = this.world.site;
    const sourceUsers = crowd.count(this.world.site.indexOf(request.sourceId));
    const state = this.opened();
    const left = wantedLeft(state) ?? sourceUsers - openRemaining(state);
    const users = roundSize(operation.originalCount, request.stepRatio, Math.max(0, left));
    const wish = { sourceId: request.sourceId, targetIds: request.targetIds, users };
    const { quotas } = selectTargets(this.world.candidates(request.sourceId), wish);
    if (users > 0 && quotas.length === 0) {
      this.become('running', 'NoTargetLeft');
      return false;
    }
    this.world.onRound(request, quotas);
    const rule = {
      quotas: quotas.map(({ backendId, users: share }) => ({ backendId, users: share })),
      minLastMovedSecs: request.minLastMovedSecs,
      arePassedOver: request.maxUsers !== null,
      chunkSize: chunkSizeOf(users, 100),
    };
    this.choose(users, rule);
    return true;
  }

  /** Page by page, as the activity does it. */
  private choose(wanted: number, rule: SelectionRule): void {
    const state = this.opened();
    const { crowd, nowMs } = this.world.site;
    const source = this.world.site.indexOf(state.request.sourceId);
    const chunks: { chunk: number; targetId: string; users: number }[] = [];
    let { nextChunk } = state;
    let { quotas } = rule;
    let planned = 0;
    let cursor: string | null = state.cursor;
    let isExhausted = false;
    const add = (targetId: string, users: number[], size: number): void => {
      chunks.push({ chunk: nextChunk, targetId, users: size });
      this.users.set(nextChunk, users);
      planned += size;
      nextChunk += 1;
    };
    while (planned < wanted && !isExhausted) {
      const limit = Math.min(PAGE_SIZE, wanted - planned);
      const page = crowd.page(source, { limit, cursor: Number(cursor ?? 0) });
      cursor = page.cursor === null ? null : String(page.cursor);
      isExhausted = cursor === null;
      const chosen = chooseUsers(page.users, { ...rule, quotas }, nowMs);
      for (const { targetId, usernames } of chosen.chunks) {
        add(targetId, usernames.map(Number), usernames.length);
      }
      if (chosen.skipped.length > 0) add(state.request.sourceId, [], chosen.skipped.length);
      ({ quotas } = chosen);
      if (quotas.every(({ users }) => users === 0)) break;
    }
    this.state = addRound(state, { chunks, nextChunk, cursor, isExhausted });
  }

  private send(): number {
    const chunk = this.opened().openChunks.find(({ isSent }) => !isSent);
    return chunk === undefined ? 0 : this.sendChunk(chunk, chunk.attempts + 1, false);
  }

  /** A source that hangs takes the command and does nothing; one that is silent is forced at once. */
  private sendChunk(chunk: OpenChunk, attempts: number, isForced: boolean): number {
    const state = this.opened();
    const { site } = this.world;
    const users = this.users.get(chunk.chunk) ?? [];
    const isDone = isForced || !this.source.isHanging;
    if (isDone) {
      const target = users.length === 0 ? 0 : site.indexOf(chunk.targetId);
      const source = site.indexOf(state.request.sourceId);
      for (const user of users) {
        this.world.onMove(state.request, user, source, target);
        site.crowd.move(user, target, site.nowMs);
      }
      this.users.delete(chunk.chunk);
    }
    const { planned } = chunk.counts;
    const counts = isDone
      ? {
          planned,
          confirmed: users.length,
          skipped: planned - users.length,
          failed: 0,
          remaining: 0,
        }
      : chunk.counts;
    const moved = { chunk: chunk.chunk, counts, attempts, forced: isForced ? planned : 0 };
    const told = { firstConfirmedAtMs: null, refusal: null, isSourceSilent: false };
    this.state = addMoved(state, { ...moved, ...told }, site.nowMs);
    return Math.max(1, users.length);
  }

  /** What `check_user_moves` said about chunks that do not end. */
  private follow(): boolean {
    const { inbox } = this;
    const { retryChunks, forceChunks } = inbox;
    if (retryChunks.length + forceChunks.length === 0) return false;
    for (const chunk of this.opened().openChunks) {
      const isForced = forceChunks.includes(chunk.chunk);
      if (!isForced && !retryChunks.includes(chunk.chunk)) continue;
      this.sendChunk(chunk, chunk.attempts + 1, isForced);
    }
    inbox.retryChunks = [];
    inbox.forceChunks = [];
    return false;
  }

  private verify(): void {
    const { request } = this.opened();
    const { site } = this.world;
    this.become('verifying', null);
    const isWhole = request.maxUsers === null;
    if (isWhole && site.crowd.count(site.indexOf(request.sourceId)) > 0) {
      this.become('running', null);
      const swept = { cursor: null, isExhausted: false, roundPlanned: 0 };
      this.state = { ...this.opened(), ...swept };
      return;
    }
    if (request.endsOffline) this.world.changeStatus(this.source, 'offline');
    this.close('done', 'mover');
  }

  private close(end: 'done' | 'cancelled' | 'superseded', actor: string): void {
    const { request } = this.opened();
    const isWhole = request.maxUsers === null;
    if (isWhole && end !== 'superseded' && actor !== 'mover') {
      this.source.isAcceptingNewUsers = true;
    }
    if (end === 'cancelled') this.world.holdAutomation(this.source);
    if (end === 'done' && this.opened().operation.state !== 'verifying') {
      this.become('verifying', null);
    }
    this.become(end, null);
    this.world.onEnd(toRow(this.opened(), this.inbox, this.world.site.nowMs));
    this.state = null;
    this.users.clear();
    this.inbox.wish = null;
    this.inbox.pause = null;
  }
}
