/** docs/reliability.md is read and written by the same hands: nothing of a row is lost on the way. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { appendRun, readRuns, type RunRow } from './reliability-page.ts';

const row = (fields: Partial<RunRow> = {}): RunRow => ({
  seed: 1,
  seconds: 90,
  loginsPerSec: 14.2,
  failedShare: 0.123,
  faults: { kill: 3, link: 2 },
  actions: 11,
  operations: { done: 2, cancelled: 1 },
  moves: 400,
  deliveries: 900,
  violations: 0,
  ...fields,
});

describe('the page of runs', () => {
  it('keeps every row, and adds them up', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'page-')), 'reliability.md');
    const rows = [
      row(),
      row({ seed: 2, faults: {}, operations: {}, violations: 2 }),
      row({ seed: 3, seconds: 1200, faults: { kill: 1 } }),
    ];
    for (const each of rows) appendRun(file, each);
    expect(readRuns(file)).toEqual(rows);
    const page = readFileSync(file, 'utf8');
    expect(page).toContain(
      '3 runs, 0.4 hours under faults; 2 runs without a violation, longest 1200 s',
    );
    expect(page).toContain('6 faults: kill 4, link 2');
    expect(page).toContain('6 operations: done 4, cancelled 2');
    expect(page).toContain('1200 confirmed moves, 2700 acknowledged deliveries');
    expect(page).toContain('* 2 violations');
  });

  it('begins where there is none', () => {
    expect(readRuns('/nowhere/reliability.md')).toEqual([]);
  });
});
