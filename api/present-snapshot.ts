/** The facts of this moment in the form that policies judge: as near to a task's snapshot as reading gets. */
import type { BackendFacts, ClusterSnapshot } from '../workflows/domain/cluster-snapshot.ts';
import type { Feature, FeatureState } from '../workflows/domain/feature-flag.ts';
import type { MetricsView } from '../workflows/domain/metrics.ts';
import { resolveFeatures } from '../workflows/policy/resolve-feature.ts';
import type { SiteFacts } from './backend-view.ts';
import type { Dependencies } from './dependencies.ts';

/** Nothing was read: as blind as can be. */
const NO_VIEW: MetricsView = {
  blindReason: 'PrometheusUnreachable',
  proxiesExpected: 0,
  proxiesSeen: 0,
  newestSampleMs: null,
  scrapeIntervalSecs: null,
};

/** As an owner whose automation runs: who may act is not what is asked here. */
export function presentSnapshot(
  { config, now }: Pick<Dependencies, 'config' | 'now'>,
  facts: SiteFacts,
): ClusterSnapshot {
  const takenAtMs = now();
  const { site, flags, metrics } = facts;
  const place = { siteId: site.id, backendId: null, nowMs: takenAtMs };
  const features = resolveFeatures(flags, place);
  return {
    takenAtMs,
    siteId: site.id,
    siteName: site.name,
    isOwner: true,
    automation: 'running',
    features,
    settings: config.policy,
    metrics: metrics.metrics?.view ?? NO_VIEW,
    backends: facts.backends.map((backend): BackendFacts => {
      const operation = facts.operations.find(({ sourceId }) => sourceId === backend.id) ?? null;
      const own = resolveFeatures(flags, { ...place, backendId: backend.id });
      return {
        id: backend.id,
        host: backend.host,
        status: backend.status,
        loadFactor: backend.loadFactor,
        statusWrittenAtMicros: backend.statusWrittenAtMicros,
        userCount: facts.counts.get(backend.id)?.users ?? null,
        isDoveadmReachable: facts.reachability.get(backend.id)?.isReachable ?? true,
        attempts: metrics.metrics?.attempts[backend.host] ?? [],
        load: metrics.metrics?.load[backend.host] ?? null,
        memory: facts.memories.get(backend.id) ?? null,
        operation:
          operation === null ? null : { ...operation, remaining: operation.counts.remaining },
        features: differing(features, own),
      };
    }),
  };
}

function differing(
  ofSite: Readonly<Record<Feature, FeatureState>>,
  own: Readonly<Record<Feature, FeatureState>>,
): BackendFacts['features'] {
  const entries = Object.entries(own).filter(
    ([feature, state]) => ofSite[feature as Feature] !== state,
  );
  return Object.fromEntries(entries);
}
