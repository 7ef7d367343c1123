import { describe, expect, it } from 'vitest';
import type { BackendFacts, ClusterSnapshot } from '../../workflows/domain/cluster-snapshot.ts';
import { decideDrains } from '../../workflows/policy/decide-drains.ts';
import {
  aMemory,
  anOperation,
  aSnapshot,
  ENABLED,
  failing,
  fourBackends,
  NOW_MS,
} from '../support/cluster-builders.ts';

function about(
  first: Partial<BackendFacts>,
  site: Partial<ClusterSnapshot> = {},
  rest: Partial<BackendFacts> = {},
) {
  const backends = fourBackends({ loadFactor: 0, ...first }, rest, rest, rest);
  const decisions = decideDrains(aSnapshot({ backends, ...site }));
  return decisions.find((decision) => decision.hosts.includes('mail1')) ?? decisions[0];
}

describe('decideDrains', () => {
  it('drains a Backend whose load factor is 0, and no other', () => {
    const decisions = decideDrains(aSnapshot({ backends: fourBackends({ loadFactor: 0 }) }));
    expect(decisions.filter((decision) => decision.kind === 'drain')).toMatchObject([
      {
        hosts: ['mail1'],
        backendId: 'id-mail1',
        reason: 'LoadFactorZero',
        numbers: { users: 500 },
      },
    ]);
  });

  it('needs no flag, and goes on when blind', () => {
    const features = { ...ENABLED, MetricsExport: 'disabled' } as const;
    const metrics = { ...aSnapshot().metrics, blindReason: 'MetricsTooOld' as const };
    expect(about({}, { features, metrics })).toMatchObject({ kind: 'drain' });
  });

  it('supersedes balancing', () => {
    const operation = anOperation({ kind: 'rebalance', cause: 'rebalance' });
    expect(about({ operation })).toMatchObject({ kind: 'drain' });
  });

  it('is ended cleanly when the load factor is raised again', () => {
    const operation = anOperation({ kind: 'drain', cause: 'drain' });
    expect(about({ loadFactor: 50, operation })).toMatchObject({
      kind: 'endDrain',
      reason: 'LoadFactorRaised',
      operationId: 'operation-1',
    });
  });

  const obstacles: [
    string,
    Partial<BackendFacts>,
    Partial<ClusterSnapshot>,
    Partial<BackendFacts>,
  ][] = [
    ['NoUsers', { userCount: 0 }, {}, {}],
    ['OperationRunning', { operation: anOperation() }, {}, {}],
    ['AutomationPaused', {}, { automation: 'paused' }, {}],
    ['CatastropheProtection', {}, {}, { attempts: failing }],
    ['OperatorHold', { memory: aMemory({ operatorHoldUntilMs: NOW_MS + 1 }) }, {}, {}],
    ['NoTarget', {}, {}, { isDoveadmReachable: false }],
    ['NotTheOwner', {}, { isOwner: false }, {}],
  ];
  it.each(obstacles)('does nothing: %s', (reason, first, site, rest) => {
    expect(about(first, site, rest)).toMatchObject({ kind: 'nothing', reason });
  });
});
