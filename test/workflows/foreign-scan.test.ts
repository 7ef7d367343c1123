/** Looking for moves that others began goes through all users: also a look that fails has its share of the time. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ActivityContext } from '../../activities/context.ts';
import { createForeignMoves } from '../../activities/foreign-moves.ts';
import type { ForeignMoveScan } from '../../workflows/domain/user-move.ts';
import { settings } from '../support/cluster-builders.ts';

const SCAN_MS = 60;
const OLD: ForeignMoveScan = { scannedAtMs: 0, tookMs: 1, isPartial: false, sources: [] };

/** A GeoDB whose scans take a moment and fail, and a store that keeps what it is told. */
function brokenScans(first: ForeignMoveScan | null) {
  let scans = 0;
  let kept = first;
  const none = () => Promise.resolve([]);
  const context = {
    config: { site: 'north', policy: settings },
    geodb: {
      readSites: () => Promise.resolve([{ id: 'site', name: 'north' }]),
      readBackends: none,
      readFeatureRows: none,
      readMovingUsers: async () => {
        scans += 1;
        await pause(SCAN_MS);
        throw new Error('Cassandra is too busy');
      },
    },
    store: {
      readFeatureOverrides: none,
      readAutomation: () => Promise.resolve(null),
      readLastNothings: none,
      readForeignMoveScan: () => Promise.resolve(kept),
      saveForeignMoveScan: (_: string, scan: ForeignMoveScan) => {
        kept = scan;
        return Promise.resolve();
      },
    },
  };
  const { lookForForeignMoves } = createForeignMoves(context as unknown as ActivityContext);
  return { look: lookForForeignMoves, scans: () => scans, kept: () => kept };
}

describe('a look at moves of others that fails', () => {
  it('is told, and not repeated before its share of the time is over', async () => {
    const { look, scans, kept } = brokenScans(OLD);
    await expect(look()).rejects.toThrow('Cassandra is too busy');
    expect(kept()?.tookMs).toBeGreaterThanOrEqual(SCAN_MS - 1);
    expect((await look()).moves).toEqual([]);
    expect(scans()).toBe(1);
  });

  it('is repeated where there was none before: nothing is known yet', async () => {
    const { look, scans } = brokenScans(null);
    await expect(look()).rejects.toThrow();
    await expect(look()).rejects.toThrow();
    expect(scans()).toBe(2);
  });
});
