/** A round for which nobody may be moved: whoever asks next has to know that, and until when. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { ActivityContext } from '../../activities/context.ts';
import { planRound, type PlanRoundInput } from '../../activities/plan-round.ts';
import type { LedgerRow, UserHome } from '../../workflows/domain/user-move.ts';

const COOL_SECS = 3_600;
const PAGE = 2;

interface Noted {
  readonly backendId: string;
  readonly untilMs: number;
}

let noted: Noted[];
let saved: LedgerRow[];

const movedAgo = (username: string, secs: number | null): UserHome => ({
  username,
  backendId: 'source',
  altBackendId: null,
  isMoving: false,
  lastMovedMs: secs === null ? null : Date.now() - secs * 1000,
});

/** A GeoDB of these users, a page of two at a time, and a store that keeps what it is told. */
function contextOf(users: readonly UserHome[]): ActivityContext {
  const context = {
    config: { site: 'north' },
    temporal: { readOwnerName: () => Promise.resolve('we') },
    geodb: {
      readOwner: () => Promise.resolve({ owner: 'we', epoch: 1 }),
      pageUsers: (_: string, { limit, cursor }: { limit: number; cursor: string | null }) => {
        const from = Number(cursor ?? 0);
        const page = users.slice(from, from + Math.min(limit, PAGE));
        const next = from + page.length;
        return Promise.resolve({ users: page, cursor: next < users.length ? String(next) : null });
      },
    },
    store: {
      readChunksInFlight: () => Promise.resolve([]),
      readLedgerChunk: () => Promise.resolve([]),
      saveChunkInFlight: () => Promise.resolve(),
      saveLedgerRows: (rows: readonly LedgerRow[]) => Promise.resolve(void saved.push(...rows)),
      noteUsersRest: (_: string, backendId: string, untilMs: number) =>
        Promise.resolve(void noted.push({ backendId, untilMs })),
    },
  };
  return context as unknown as ActivityContext;
}

const input: PlanRoundInput = {
  operationId: 'operation',
  sourceId: 'source',
  users: 5,
  firstChunk: 0,
  cursor: null,
  rule: {
    quotas: [{ backendId: 'target', users: 5 }],
    minLastMovedSecs: COOL_SECS,
    arePassedOver: true,
    chunkSize: 10,
  },
};

beforeEach(() => {
  noted = [];
  saved = [];
});

describe('a round of a source whose users rest', () => {
  it('notes when the first of them may be moved again', async () => {
    const users = [movedAgo('a', 60), movedAgo('b', COOL_SECS - 30), movedAgo('c', 5)];
    const round = await planRound(contextOf(users), input);
    expect(round).toMatchObject({ chunks: [], isExhausted: true });
    expect(noted).toEqual([
      { backendId: 'source', untilMs: (users[1]?.lastMovedMs ?? 0) + COOL_SECS * 1000 },
    ]);
  });

  it('looks again after ten minutes, since others may come', async () => {
    const before = Date.now();
    await planRound(contextOf([movedAgo('a', 60)]), input);
    const restMs = (noted[0]?.untilMs ?? 0) - before;
    expect(restMs).toBeGreaterThanOrEqual(600_000);
    expect(restMs).toBeLessThan(660_000);
  });

  it.each([
    { name: 'somebody was found', users: [movedAgo('a', 60), movedAgo('b', null)], more: {} },
    { name: 'nobody lives there', users: [], more: {} },
    { name: 'it began in the middle', users: [movedAgo('a', 5)], more: { cursor: '0' } },
  ])('notes nothing where $name', async ({ users, more }) => {
    await planRound(contextOf(users), { ...input, ...more });
    expect(noted).toEqual([]);
    expect(saved).toHaveLength(users.filter(({ lastMovedMs }) => lastMovedMs === null).length);
  });
});
