/** What the application is given; there are no clients at module level. */
import type { Accounts } from '../gateways/controller-store/accounts.ts';
import type { Cache } from '../gateways/cache/cache.ts';
import type { ControllerStore } from '../gateways/controller-store/controller-store.ts';
import type { Geodb } from '../gateways/geodb/geodb.ts';
import type { Prometheus } from '../gateways/prometheus/prometheus.ts';
import type { Temporal } from '../gateways/temporal/temporal.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';

export type ApiConfig = Pick<Config, 'site' | 'http' | 'policy' | 'intervals' | 'proxyHosts'>;

export interface Dependencies {
  readonly config: ApiConfig;
  readonly geodb: Geodb;
  readonly store: ControllerStore;
  readonly accounts: Accounts;
  readonly cache: Cache;
  readonly prometheus: Prometheus;
  readonly temporal: Temporal;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
