/** A cluster in memory behind the activities' interface: for tests of what workflows do with the answers. */
import type { Activities } from '../../activities/index.ts';
import type { ClosedLedger } from '../../activities/close-ledger.ts';
import type { MoveChunkInput, MovedChunk } from '../../activities/move-chunk.ts';
import type { MoveSituation } from '../../activities/move-users.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { NO_MOVES } from '../../workflows/domain/user-move.ts';
import { labSettings } from './lab-settings.ts';

export type ChunkBehaviour = (input: MoveChunkInput, users: number) => Promise<number> | number;

export class MailWorld {
  readonly settings: PolicySettings = labSettings();
  usersOnSource: number;
  readonly rows: Operation[] = [];
  readonly statusChanges: string[] = [];
  readonly moves: MoveChunkInput[] = [];
  readonly accepting: boolean[] = [];
  readonly holds: number[] = [];
  readonly audited: string[] = [];
  readonly closed: { readonly operationId: string; readonly chunks: number }[] = [];
  situation: Partial<MoveSituation> = {};
  /** What each later look at the other movers finds; nothing when there is none left. */
  readonly inflowLater: Readonly<Record<string, number>>[] = [];
  /** How many of a chunk's open users end; all by default. */
  behaviour: ChunkBehaviour = (_input, users) => users;
  /** Rows that are open again at the end, and what the ledger then says; null: none. */
  lost: ClosedLedger | null = null;
  /** Users whom planning finds; the others rest. */
  movable = Infinity;
  /** Is there no room for this chunk, by what the others send right now? */
  holdsBack: (input: MoveChunkInput) => boolean = () => false;
  readonly candidate = {
    status: 'online',
    loadFactor: 100,
    verdict: 'healthy',
    isDoveadmReachable: true,
    isBeingEmptied: false,
    inflow: 0,
    userCount: 10,
  } as const;
  private readonly chunks = new Map<number, { planned: number; done: number; cancelled: number }>();

  constructor(users: number) {
    this.usersOnSource = users;
  }

  get lastRow(): Operation | undefined {
    return this.rows.at(-1);
  }

  activities() {
    return {
      countUsers: () => Promise.resolve(this.usersOnSource),
      saveOperation: (operation) => {
        this.rows.push(operation);
        return Promise.resolve();
      },
      setAcceptNewUsers: ({ isAccepting }) => {
        this.accepting.push(isAccepting);
        return Promise.resolve();
      },
      changeStatus: ({ status }) => {
        this.statusChanges.push(status);
        return Promise.resolve(status);
      },
      holdAutomation: ({ untilMs }) => {
        this.holds.push(untilMs);
        return Promise.resolve();
      },
      auditControl: ({ action }) => {
        this.audited.push(action);
        return Promise.resolve();
      },
      readMoveSituation: () => Promise.resolve(this.readSituation()),
      planRound: (input) => {
        const chunks = [];
        let chunk = input.firstChunk;
        const found = Math.min(input.users, this.movable);
        this.movable -= found;
        for (let left = found; left > 0; chunk += 1) {
          const users = Math.min(left, input.rule.chunkSize);
          this.chunks.set(chunk, { planned: users, done: 0, cancelled: 0 });
          chunks.push({ chunk, targetId: 'target-1', users });
          left -= users;
        }
        return Promise.resolve({
          chunks,
          nextChunk: chunk,
          cursor: String(chunk),
          isExhausted: this.movable === 0,
        });
      },
      moveChunk: (input) => this.moveChunk(input),
      closeLedger: ({ operationId, chunks }) => {
        this.closed.push({ operationId, chunks });
        return Promise.resolve(this.lost ?? { counts: NO_MOVES, reopened: 0 });
      },
      readInflowOfOthers: () => Promise.resolve(this.inflowLater.shift() ?? {}),
    } satisfies Partial<Activities>;
  }

  private readSituation(): MoveSituation {
    const { candidate } = this;
    return {
      sourceStatus: 'online',
      sourceUsers: this.usersOnSource,
      automation: 'running',
      features: {
        MetricsExport: 'enabled',
        BackendHealthAutoHandling: 'enabled',
        BackendLoadBalancing: 'enabled',
      },
      settings: this.settings,
      candidates: [
        { ...candidate, backendId: 'source-id', host: 'mail1', userCount: this.usersOnSource },
        { ...candidate, backendId: 'target-1', host: 'mail2' },
      ],
      inflowOfOthers: {},
      ...this.situation,
    };
  }

  private async moveChunk(input: MoveChunkInput): Promise<MovedChunk> {
    this.moves.push(input);
    const chunk = this.chunks.get(input.chunk);
    if (chunk === undefined) throw new Error(`chunk ${String(input.chunk)} was never planned`);
    const open = chunk.planned - chunk.done - chunk.cancelled;
    const isHeldBack = input.mode === 'send' && this.holdsBack(input);
    if (isHeldBack) return this.answer(input, { attempts: 0, isHeldBack });
    if (input.mode === 'cancel') chunk.cancelled += open;
    else if (open > 0) {
      const ended = await this.behaviour(input, open);
      chunk.done += ended;
      this.usersOnSource -= ended;
    }
    return this.answer(input, { attempts: 1 });
  }

  private answer(
    input: MoveChunkInput,
    how: Pick<MovedChunk, 'attempts' | 'isHeldBack'>,
  ): MovedChunk {
    const { planned = 0, done = 0, cancelled = 0 } = this.chunks.get(input.chunk) ?? {};
    const remaining = planned - done - cancelled;
    return {
      ...how,
      chunk: input.chunk,
      counts: { planned, confirmed: done, skipped: cancelled, failed: 0, remaining },
      forced: 0,
      isSourceSilent: false,
      firstConfirmedAtMs: done > 0 ? Date.now() : null,
      refusal: null,
    };
  }
}
