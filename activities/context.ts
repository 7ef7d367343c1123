import type { Cache } from '../gateways/cache/cache.ts';
import type { ControllerStore } from '../gateways/controller-store/controller-store.ts';
import type { Doveadm } from '../gateways/doveadm/doveadm.ts';
import type { Geodb } from '../gateways/geodb/geodb.ts';
import type { Prometheus } from '../gateways/prometheus/prometheus.ts';
import type { Temporal } from '../gateways/temporal/temporal.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';

import type { FindReachable } from './reachable-hosts.ts';
import type { UserCounts } from './user-counts.ts';

/** All that the activities touch the world with. */
export interface ActivityContext {
  readonly geodb: Geodb;
  readonly store: ControllerStore;
  readonly doveadm: Doveadm;
  readonly prometheus: Prometheus;
  readonly cache: Cache;
  readonly temporal: Temporal;
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What is dear to look at is looked at once for all activities of a process. */
export interface SharedLooks {
  readonly findReachable: FindReachable;
  readonly userCounts: UserCounts;
}
