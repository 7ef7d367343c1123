import { describe, expect, it } from 'vitest';
import { GLOBAL_TARGET } from '../../workflows/domain/feature-flag.ts';
import type { Reference } from '../../workflows/domain/references.ts';
import { decideStaleData, findStaleData } from '../../workflows/policy/find-stale-data.ts';

const kept: Reference[] = [
  { table: 'cluster_settings', scope: 'global', target: GLOBAL_TARGET },
  { table: 'cluster_settings', scope: 'site', target: 'north' },
  { table: 'force_moves', scope: 'backend', target: 'mail1' },
  { table: 'site_reachability', scope: '', target: 'north/south' },
  { table: 'backend_memory', scope: 'north', target: 'mail1' },
];
const orphaned: Reference[] = [
  { table: 'cluster_settings', scope: 'backend', target: 'gone' },
  { table: 'site_reachability', scope: '', target: 'north/gone' },
  { table: 'backend_memory', scope: 'north', target: 'gone' },
];
const reading = {
  siteIds: ['north', 'south'],
  backendIds: ['mail1'],
  references: [...kept, ...orphaned],
  usersByBackend: { mail1: 10, gone: 3 },
};

describe('findStaleData', () => {
  it('finds rows that point to nothing, and only counts users who do', () => {
    expect(findStaleData(reading)).toEqual({ rows: orphaned, strandedUsers: 3 });
  });

  it('takes an empty list of sites or Backends for a reading that failed, not for a fact', () => {
    expect(findStaleData({ ...reading, backendIds: [] }).rows).toEqual([]);
    expect(findStaleData({ ...reading, siteIds: [] }).rows).toEqual([]);
  });
});

describe('decideStaleData', () => {
  it('removes what was found, as the owner alone', () => {
    const stale = findStaleData(reading);
    expect(decideStaleData(stale, true)).toMatchObject({
      kind: 'deleteRows',
      reason: 'Orphaned',
      numbers: { rows: 3, strandedUsers: 3 },
    });
    expect(decideStaleData(stale, false)).toMatchObject({ kind: 'nothing', reason: 'NotTheOwner' });
    expect(decideStaleData({ rows: [], strandedUsers: 3 }, true)).toMatchObject({
      kind: 'nothing',
      reason: 'NothingStale',
    });
  });
});
