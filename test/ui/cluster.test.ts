import { describe, expect, it } from 'vitest';
import { clusterVerdict } from '../../ui/src/format/cluster.ts';
import { conditionsOf } from '../../ui/src/format/conditions.ts';
import { lampsOf } from '../../ui/src/format/lamps.ts';
import { verdictLadder } from '../../ui/src/format/ladder.ts';
import { doneShare, rateBetween, timeLeft } from '../../ui/src/format/operations.ts';
import { progressOf } from '../../ui/src/format/progress.ts';
import { backendDetail, operations, overview } from '../support/ui-fixtures.ts';

const NOW = Date.UTC(2026, 9, 6, 3, 12, 40);

describe('the verdict', () => {
  it('counts the Backends that need attention, the worst first', () => {
    const verdict = clusterVerdict(overview('busy', NOW, false));
    expect(`${verdict.lead} ${verdict.rest}`).toBe(
      '2 of 12 Backends need attention. 9 are healthy, 1 is in standby.',
    );
    expect(verdict.todo.map(({ name }) => name)).toEqual(['mail07', 'mail03']);
    expect(verdict.sub).toContain('evacuating mail07');
  });

  it('is calm when all online Backends are healthy', () => {
    const verdict = clusterVerdict(overview('calm', NOW, false));
    expect(verdict.tone).toBe('calm');
    expect(verdict.lead).toBe('All 11 online Backends are healthy.');
    expect(verdict.sub).toMatch(
      /^0\.4.% of all logins and deliveries failed in the last \d+ \w+\.$/,
    );
  });

  it('says over how long where one look-back is longer than the others', () => {
    const calm = overview('calm', NOW, false);
    const [first, ...others] = calm.backends;
    if (first?.failure == null) throw new Error('the first Backend has figures');
    const longer = { ...first, failure: { ...first.failure, windowSecs: 300 } };
    const verdict = clusterVerdict({ ...calm, backends: [...others, longer] });
    expect(verdict.sub).toMatch(/failed in the last 5 min/);
  });

  it('does not pretend to know when blind', () => {
    const verdict = clusterVerdict(overview('blind', NOW, false));
    expect(verdict.lead).toBe('Dovekeeper cannot tell whether the cluster is all right.');
    expect(verdict.sub).toContain('mail07 critical');
  });

  it('names a Backend that the controller took out of service', () => {
    const verdict = clusterVerdict(overview('recovered', NOW, false));
    expect(verdict.todo[0]).toMatchObject({ name: 'mail07', state: 'Offline' });
  });
});

describe('conditions', () => {
  it('put catastrophe protection first and say share and limit', () => {
    const [first] = conditionsOf(overview('catastrophe', NOW, true));
    expect(first?.id).toBe('catastrophe');
    expect(first?.text).toMatch(/63\.6.% of the Backends fail, limit 50.%/);
  });

  it('quote the reason of a pause as written', () => {
    const paused = conditionsOf(overview('calm', NOW, true)).find(({ id }) => id === 'automation');
    expect(paused?.text).toContain('by operator: “storage maintenance”');
    expect(paused?.action).toBe('resumeAutomation');
  });

  it('say it once when Prometheus is silent', () => {
    const ids = conditionsOf(overview('blind', NOW, false)).map(({ id }) => id);
    expect(ids).toContain('blind');
    expect(ids).not.toContain('dependency-prometheus');
  });

  it('name a neighbour that does not answer and what follows', () => {
    const broken = overview('calm', NOW, false);
    const conditions = conditionsOf({
      ...broken,
      dependencies: { ...broken.dependencies, temporal: { ok: false, error: 'refused' } },
    });
    expect(conditions[0]?.title).toBe('Temporal does not answer.');
    expect(conditions[0]?.text).toContain('Mail flows');
  });
});

describe('a Backend whose doveadm is not reachable', () => {
  it('is a condition that says what it means', () => {
    const [condition] = conditionsOf(overview('busy', NOW, false)).filter(
      ({ id }) => id === 'unreachable',
    );
    expect(condition?.title).toBe('doveadm of mail08 is not reachable.');
    expect(condition?.text).toContain('No User is moved to it');
  });
});

describe('tasks that do not run', () => {
  it('are a condition of every page, late ones and paused ones apart', () => {
    const calm = overview('calm', NOW, false);
    const found = conditionsOf({
      ...calm,
      overdueTasks: ['check_backend_health'],
      pausedTasks: ['rebalance_sites'],
      strandedUsers: 3,
    });
    expect(found.filter(({ tone }) => tone === 'warn').map(({ title }) => title)).toEqual([
      'check_backend_health is late.',
      'rebalance_sites is paused.',
      '3 Users point to a Backend that does not exist.',
    ]);
  });
});

describe('lamps', () => {
  it('are always the same five, in the same order', () => {
    for (const scenario of ['busy', 'calm', 'blind', 'catastrophe'] as const) {
      const names = lampsOf(overview(scenario, NOW, false), 3).map(({ name }) => name);
      expect(names).toEqual([
        'Metrics',
        'Catastrophe protection',
        'Automation',
        'DryRun',
        'Site reachability',
      ]);
    }
  });

  it('do not call metrics fresh that the page got long ago', () => {
    const [metrics] = lampsOf(overview('calm', NOW, false), 45);
    expect(metrics).toMatchObject({ tone: 'warn', text: '45 s old' });
  });

  it('are not evaluated rather than green when blind', () => {
    const [metrics, protection] = lampsOf(overview('blind', NOW, false), 626);
    expect(metrics).toMatchObject({ tone: 'crit', text: '10 min old' });
    expect(protection).toMatchObject({ tone: 'mute', text: 'Not evaluated' });
  });
});

describe('the ladder of a verdict', () => {
  it('gives value and limit of each rule and marks the one that decided', () => {
    const backend = backendDetail('busy', 'mail03', NOW);
    if (backend === null) throw new Error('the fixture has no mail03');
    const rungs = verdictLadder(backend, overview('busy', NOW, false), 3);
    expect(rungs.map(({ id, isDeciding }) => [id, isDeciding])).toEqual([
      ['fresh', false],
      ['traffic', false],
      ['critical', false],
      ['degraded', true],
    ]);
    expect(rungs[3]?.value).toBe('14.2\u202f% > 10\u202f%');
  });

  it('says that it does not know where there are no counters', () => {
    const backend = backendDetail('busy', 'mail12', NOW);
    if (backend === null) throw new Error('the fixture has no mail12');
    const rungs = verdictLadder(backend, overview('busy', NOW, false), 3);
    expect(rungs[2]).toMatchObject({ tone: 'mute', glyph: 'unknown' });
  });
});

describe('progress', () => {
  it('is measured by all users of the Backend, not by those planned so far', () => {
    const [evacuation] = operations(NOW);
    if (evacuation === undefined) throw new Error('the fixture has no operation');
    const progress = progressOf(evacuation);
    expect(progress).toMatchObject({ total: 108_420, left: 55_859 });
    expect(progress.share).toBeCloseTo(0.485, 3);
    expect(progress.timeLeft).toBe('18–28 min');
  });

  it('of nothing is complete once it has ended', () => {
    const none = { planned: 0, confirmed: 0, skipped: 0, failed: 0, remaining: 0 };
    expect([doneShare(none), doneShare(none, true)]).toEqual([0, 1]);
  });

  it('has no rate without time, and no estimate without a rate', () => {
    expect(rateBetween({ atMs: 5, done: 1 }, { atMs: 5, done: 9 })).toBeNull();
    expect(timeLeft(100, 0)).toBeNull();
    expect(timeLeft(100, null)).toBeNull();
  });
});
