/** Several movers send to one target at the same time: who has room is decided before anything is sent. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimRoom, inflowOfOthers, type Claim } from '../../activities/claim-room.ts';
import type { ChunkInFlight } from '../../workflows/domain/user-move.ts';

const SEED = Number(process.env['PROPERTY_SEED'] ?? 20_261_127);
const LIMIT = 50;
const ROOM = { maxInflow: LIMIT, ownInflow: 0 };
const keyOf = ({ operationId, chunk }: Claim): string => `${operationId} ${chunk}`;

/** As quorum writes and reads are: each takes effect at one instant between its begin and its end. */
class SlowNotes {
  readonly rows = new Map<string, ChunkInFlight>();
  readonly #delays: readonly number[];
  #calls = 0;

  constructor(delays: readonly number[]) {
    this.#delays = delays;
  }

  async #wait(): Promise<void> {
    const turns = this.#delays[this.#calls++ % this.#delays.length] ?? 0;
    for (let left = turns; left > 0; left -= 1) await turn();
  }

  async saveChunkInFlight(note: ChunkInFlight): Promise<void> {
    await this.#wait();
    this.rows.set(keyOf(note), note);
    await this.#wait();
  }

  async readChunksOfOthers(_siteName: string, sourceId: string): Promise<ChunkInFlight[]> {
    await this.#wait();
    const rows = [...this.rows.values()].filter((row) => row.sourceId !== sourceId);
    await this.#wait();
    return rows;
  }
}

const claimOf = (mover: number, chunk: number, remaining: number): Claim => ({
  siteName: 'north',
  sourceId: `source-${mover}`,
  operationId: `operation-${mover}`,
  chunk,
  targetId: 'target-1',
  remaining,
});

describe('room at a target', () => {
  it('never has more users on their way than the limit, whoever claims when', async () => {
    const claims = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 5 });
    const delays = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 7, maxLength: 7 });
    let admitted = 0;
    let heldBack = 0;
    const property = fc.asyncProperty(claims, delays, async (users, turns) => {
      const notes = new SlowNotes(turns);
      let underWay = 0;
      const send = async (remaining: number, mover: number): Promise<void> => {
        const claim = claimOf(mover, 0, remaining);
        if (!(await claimRoom(notes, claim, ROOM))) {
          heldBack += 1;
          expect(notes.rows.get(keyOf(claim))).toMatchObject({ attempts: 0, sentAtMs: 0 });
          return;
        }
        admitted += 1;
        underWay += remaining;
        expect(underWay).toBeLessThanOrEqual(LIMIT);
        for (let left = 20; left > 0; left -= 1) await turn();
        underWay -= remaining;
        notes.rows.delete(keyOf(claim));
      };
      await Promise.all(users.map(send));
      expect(notes.rows.size).toBeLessThanOrEqual(users.length);
    });
    await fc.assert(property, { seed: SEED, numRuns: 60 });
    expect(admitted).toBeGreaterThan(60);
    expect(admitted).toBeGreaterThan(heldBack);
  });

  it('lets a single chunk through that is larger than the limit, and two of them one by one', async () => {
    const notes = new SlowNotes([1]);
    expect(await claimRoom(notes, claimOf(1, 0, 80), ROOM)).toBe(true);
    expect(await claimRoom(notes, claimOf(2, 0, 80), ROOM)).toBe(false);
    notes.rows.delete('operation-1 0');
    expect(await claimRoom(notes, claimOf(2, 0, 80), ROOM)).toBe(true);
  });

  it('does not wait for what is stuck, planned only, or on its way to others', async () => {
    const notes = new SlowNotes([0]);
    const note = { attempts: 1, sentAtMs: Date.now() };
    const others = [
      { ...claimOf(1, 0, 40), ...note, sentAtMs: Date.now() - 10_001 },
      { ...claimOf(2, 0, 40), ...note, attempts: 0, sentAtMs: 0 },
      { ...claimOf(3, 0, 40), ...note, targetId: 'target-2' },
    ];
    for (const other of others) notes.rows.set(keyOf(other), other);
    expect(await claimRoom(notes, claimOf(4, 0, 40), ROOM)).toBe(true);
  });

  it('adds what its own mover has under way, which is not read', async () => {
    const notes = new SlowNotes([0]);
    const own = { ...claimOf(1, 0, 40), attempts: 1, sentAtMs: Date.now() };
    notes.rows.set(keyOf(own), own);
    const claim = claimOf(1, 1, 10);
    expect(await claimRoom(notes, claim, { maxInflow: LIMIT, ownInflow: 40 })).toBe(true);
    expect(await claimRoom(notes, claim, { maxInflow: LIMIT, ownInflow: 41 })).toBe(false);
  });

  it('counts of the others what is sent, not what is about to be', () => {
    const sent = { ...claimOf(1, 0, 10), attempts: 1, sentAtMs: Date.now() };
    const claimed = { ...claimOf(1, 1, 20), attempts: 0, sentAtMs: Date.now() };
    const own = { ...claimOf(2, 0, 30), attempts: 1, sentAtMs: Date.now() };
    expect(inflowOfOthers([sent, claimed, own], 'source-2')).toEqual({ 'target-1': 10 });
  });
});
