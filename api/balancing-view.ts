/** How the load lies at the home site, and what a cycle of `rebalance_sites` would do about it now. */
import type { RecordedDecision } from '../workflows/domain/decision.ts';
import { planRebalance } from '../workflows/policy/plan-rebalance.ts';
import { viewBalancing, type SiteBalance } from '../workflows/policy/view-balancing.ts';
import type { SiteFacts } from './backend-view.ts';
import { presentSnapshot } from './present-snapshot.ts';
import type { BalancingView } from './schemas/balancing.ts';
import type { ViewState } from './state.ts';

/** Of the home site alone: another one is balanced by settings and flags that we do not see. */
export function balanceOf({ dependencies }: ViewState, facts: SiteFacts): SiteBalance | null {
  if (facts.site.name !== dependencies.config.site) return null;
  return viewBalancing(presentSnapshot(dependencies, facts));
}

/** Newest of the decisions of `rebalance_sites`: a "nothing" that is repeated is as new as its last repeat. */
export function presentBalancing(
  { dependencies }: ViewState,
  facts: SiteFacts,
  about: {
    readonly isPaused: boolean;
    readonly recorded: readonly RecordedDecision[];
  },
): BalancingView {
  const snapshot = presentSnapshot(dependencies, facts);
  const balance = viewBalancing(snapshot);
  const automation = about.isPaused ? 'paused' : 'running';
  const { decision } = planRebalance({ ...snapshot, automation });
  const hostOf = (id: string | null): string | null =>
    facts.backends.find((backend) => backend.id === id)?.host ?? null;
  const newest = about.recorded.reduce<RecordedDecision | null>(
    (best, each) => (best === null || each.lastRepeatedAtMs > best.lastRepeatedAtMs ? each : best),
    null,
  );
  return {
    mostLoadedHost: hostOf(balance.mostLoadedId),
    leastLoadedHost: hostOf(balance.leastLoadedId),
    scoreDelta: balance.scoreDelta,
    threshold: balance.threshold,
    spreadPercent: balance.spreadPercent,
    eligible: balance.backends.filter(({ exclusion }) => exclusion === null).length,
    moveRatio: snapshot.settings.loadBalanceMoveRatio,
    userCoolTimeSecs: snapshot.settings.loadBalanceMinCoolTimeSecs,
    backendCoolTimeSecs: snapshot.settings.loadBalanceBackendCoolTimeSecs,
    minSamples: snapshot.settings.loadBalanceMinSamples,
    wouldNow: {
      kind: decision.kind,
      reason: decision.reason,
      hosts: decision.hosts,
      isDryRun: decision.isDryRun,
      numbers: decision.numbers,
      limitingSetting: decision.limitingSetting,
      detail: decision.detail,
    },
    lastDecision: newest,
  };
}
