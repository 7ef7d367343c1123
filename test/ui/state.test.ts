import { describe, expect, it } from 'vitest';
import { isAbove, mostAllowed } from '../../ui/src/format/flag-places.ts';
import { sparkline } from '../../ui/src/format/charts.ts';
import { waitAfter } from '../../ui/src/state/back-off.ts';
import { CELL_MS, CELLS, cellsOf } from '../../ui/src/state/cells.ts';
import { matchRoute } from '../../ui/src/state/routes.ts';
import { secretFromInput, secretOf } from '../../ui/src/state/sign-in-secret.ts';
import { features } from '../support/ui-fixtures.ts';

const SECRET = 'x'.repeat(43);

describe('routes', () => {
  it('find pages and their parameters', () => {
    expect(matchRoute('/').page).toBe('overview');
    expect(matchRoute('/backends/mail07')).toMatchObject({
      page: 'backend',
      params: { host: 'mail07' },
    });
    expect(matchRoute('/users/u%40example.org').params['name']).toBe('u@example.org');
    expect(matchRoute('/decisions', '?host=mail07').query.get('host')).toBe('mail07');
  });

  it('say so where there is no page', () => {
    expect(matchRoute('/backends/a/b').page).toBe('notFound');
  });
});

describe('the secret of a sign-in link', () => {
  it('is what follows the hash', () => {
    expect(secretOf(`http://127.0.0.1:8080/sign-in#${SECRET}`)).toBe(SECRET);
    expect(secretOf(`#token=${SECRET}`)).toBe(SECRET);
    expect(secretFromInput(` ${SECRET} `)).toBe(SECRET);
  });

  it('is not any anchor', () => {
    expect(secretOf('#main')).toBeNull();
    expect(secretFromInput('operator')).toBeNull();
  });
});

describe('waiting after failures', () => {
  it('doubles up to the longest', () => {
    const waits = [0, 1, 2, 3, 9].map((failures) => waitAfter(failures, 5000, 30_000));
    expect(waits).toEqual([5000, 5000, 10_000, 20_000, 30_000]);
  });
});

describe('cells of a strip', () => {
  it('keep the worst value, and null where nothing was measured', () => {
    const base = 1000 * CELL_MS;
    const cells = cellsOf([
      { atMs: base, value: 0.2 },
      { atMs: base + 1, value: 0.1 },
      { atMs: base + 2 * CELL_MS, value: null },
      { atMs: base + 3 * CELL_MS, value: 0 },
    ]);
    expect(cells).toHaveLength(CELLS);
    expect(cells.slice(-4)).toEqual([0.2, null, null, 0]);
    expect(cells.slice(0, -4).every((cell) => cell === null)).toBe(true);
  });

  it('are drawn with gaps, never as zero', () => {
    const options = { width: 40, height: 34, most: 1, limit: 0.1 };
    const shape = sparkline([null, null, 0.5, 0.5], options);
    expect(shape.gaps).toEqual([{ x: 0, width: 20 }]);
    expect(shape.runs).toHaveLength(1);
    expect(shape.isOverLimit).toBe(true);
  });
});

describe('flag levels', () => {
  it('allow at most what the levels above allow', () => {
    const most = mostAllowed(features(), 'BackendLoadBalancing', 'backend');
    expect(most).toEqual({ state: 'dryRun', by: 'Site helsinki-1' });
    expect(isAbove('enabled', most)).toBe(true);
    expect(isAbove('disabled', most)).toBe(false);
  });
});
