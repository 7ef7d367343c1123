import { describe, expect, it } from 'vitest';
import type { BackendFacts } from '../../workflows/domain/cluster-snapshot.ts';
import { planRebalance } from '../../workflows/policy/plan-rebalance.ts';
import { viewBalancing } from '../../workflows/policy/view-balancing.ts';
import { aSnapshot, ENABLED, fourBackends } from '../support/cluster-builders.ts';

const load = (level: number): BackendFacts['load'] => ({
  cpu: level,
  memoryBytes: level * 1e9,
  metacacheBytes: level * 1e8,
  samples: 10_000,
});
const uneven = fourBackends(
  { load: load(2) },
  { load: load(0.9) },
  { load: load(1) },
  { load: load(1), status: 'standby' },
);

describe('viewBalancing', () => {
  it('shows the scores that rebalance_sites decides by, each with its parts', () => {
    const snapshot = aSnapshot({ backends: uneven });
    const view = viewBalancing(snapshot);
    const { decision, scores } = planRebalance(snapshot);
    for (const [index, host] of ['mail1', 'mail2', 'mail3'].entries()) {
      const { score, parts } = view.backends[index] ?? {};
      expect(score).toBe(scores[host]);
      const sum = (parts?.cpu ?? 0) + (parts?.memory ?? 0) + (parts?.metacache ?? 0);
      expect(sum).toBeCloseTo(score ?? NaN, 2);
    }
    expect(view).toMatchObject({
      mostLoadedId: 'id-mail1',
      leastLoadedId: 'id-mail2',
      scoreDelta: decision.numbers['scoreDelta'],
      threshold: 3,
      spreadPercent: decision.numbers['spreadPercent'],
    });
  });

  it('says why a Backend takes no part, and does not score it', () => {
    const { backends } = viewBalancing(aSnapshot({ backends: uneven }));
    expect(backends[3]).toEqual({
      backendId: 'id-mail4',
      exclusion: 'Standby',
      score: null,
      parts: { cpu: null, memory: null, metacache: null },
    });
  });

  it('can be looked at before the feature is switched on', () => {
    const features = { ...ENABLED, BackendLoadBalancing: 'disabled' } as const;
    const view = viewBalancing(aSnapshot({ backends: uneven, features }));
    expect(view.scoreDelta).toBeGreaterThan(3);
    expect(view.backends[0]?.exclusion).toBeNull();
  });

  it('knows no pair where fewer than two take part', () => {
    const alone = fourBackends(
      { load: load(2) },
      { loadFactor: 0 },
      { status: 'offline' },
      { load: null },
    );
    expect(viewBalancing(aSnapshot({ backends: alone }))).toMatchObject({
      mostLoadedId: null,
      scoreDelta: null,
      spreadPercent: null,
      backends: [
        { exclusion: null, score: null },
        { exclusion: 'LoadFactorZero' },
        { exclusion: 'Offline' },
        { exclusion: 'NotMeasured' },
      ],
    });
  });

  it('has no part for a metric that says nothing', () => {
    const level = (cpu: number): BackendFacts['load'] => ({
      cpu,
      memoryBytes: 1e9,
      metacacheBytes: null,
      samples: 10_000,
    });
    const backends = fourBackends(...[1, 2, 3, 4].map((cpu) => ({ load: level(cpu) })));
    const [first] = viewBalancing(aSnapshot({ backends })).backends;
    expect(first?.parts).toMatchObject({ memory: null, metacache: null });
    expect(first?.parts.cpu).toBe(first?.score);
  });
});
