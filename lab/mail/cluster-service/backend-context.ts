/** What the parts of a Backend's cluster service share. */
import type { ClusterMapReader } from './cluster-map.ts';
import type { SessionCutter } from './cut-sessions.ts';
import type { DepartureGate } from './departure-gate.ts';
import type { DoveadmClient } from './doveadm-client.ts';
import type { BackendRow, Geodb } from './geodb.ts';
import type { HomeChangeLog } from './home-change-log.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics-text.ts';
import type { MovedOffSweeper } from './moved-off-sweeper.ts';
import type { RecentLogins } from './recent-logins.ts';
import type { SessionWatch } from './session-watch.ts';
import type { SleepWatch } from './sleep-watch.ts';
import type { ProxyTeller } from './tell-proxies.ts';

export interface BackendContext {
  /** Name of this Backend. */
  readonly host: string;
  readonly geodb: Geodb;
  readonly map: ClusterMapReader;
  /** The real doveadm beside us. */
  readonly doveadm: DoveadmClient;
  readonly sessions: SessionWatch;
  readonly cutSessions: SessionCutter;
  readonly tellProxies: ProxyTeller;
  readonly sweeper: MovedOffSweeper;
  readonly sleep: SleepWatch;
  /** Users whose move is under way, until it has ended: where to, or null where the home has to tell. */
  readonly leaving: Map<string, Promise<BackendRow | null>>;
  readonly recentLogins: RecentLogins;
  /** For users who have sessions to be cut. */
  readonly departures: DepartureGate;
  readonly homeChanges: HomeChangeLog;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** This Backend's row; throws where the GeoDB was never read or does not know us. */
export function readOwnBackend({ map, host }: BackendContext): BackendRow {
  const own = map.backendByHost(host);
  if (own === undefined) throw new Error(`${host} is not in the GeoDB, or it was never read`);
  return own;
}
