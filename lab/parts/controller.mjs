/** The controller of each site: its settings in the lab, its worker and its API. */
import { PORTS, addressesOf, coreAddressOf, hostAddressesOf, sitesOf } from './addresses.mjs';
import { COMPILE_CACHE_DIR, ROOT_DIR, UI_DIST_DIR, WORKFLOW_BUNDLE } from './folders.mjs';
import { findProductNode } from './run-command.mjs';

/** The doveadm key of every host of the lab; there is nothing to protect. */
const LAB_DOVEADM_KEY = 'labapikey';

/** Before mail, as the operator's guide wants it: it is needed most where the cores are full (ADR 24). */
const WORKER_NICENESS = -10;

/** Shorter than the defaults, so that one can watch. */
const LAB_POLICY = Object.freeze({
  HOST_FAILURE_CRITICAL_WINDOW_SECS: '10',
  HOST_FAILURE_WINDOW_SECS: '20',
  HOST_FAILURE_MIN_LOGINS: '20',
  HOST_FAILURE_COOL_TIME_SECS: '60',
  HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS: '30',
  HOST_LOAD_BALANCE_MIN_SAMPLES: '60',
  HOST_RECOVERY_MIN_SUCCESSES: '3',
  HOST_RECOVERY_WINDOW_SECS: '15',
  HOST_RECOVERY_MAX_HOLD_SECS: '60',
  USER_MOVE_STUCK_SECS: '10',
  USER_MOVE_MAX_RETRIES: '3',
  CACHE_METRICS_INTERVAL_SECS: '5',
  CHECK_USER_MOVES_INTERVAL_SECS: '5',
  REBALANCE_SITES_INTERVAL_SECS: '10',
  CHECK_BACKEND_HEALTH_INTERVAL_SECS: '10',
  EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: '10',
  CHECK_SITE_REACHABILITY_INTERVAL_SECS: '10',
  DELETE_STALE_DATA_INTERVAL_SECS: '86400',
});

/**
 * The environment of every controller process of a site: worker, API, one-time commands.
 * @param {{ net: number, siteName: string, readyAfterMs?: number,
 *   settings?: Record<string, string> }} options settings: override everything else
 * @returns {Record<string, string>}
 */
export function controllerEnvironment({ net, siteName, readyAfterMs, settings }) {
  const site = siteOf(net, siteName);
  const addresses = addressesOf(net);
  return {
    CLUSTER_SITE: site.name,
    CASSANDRA_SERVERS: addresses.cassandra,
    CASSANDRA_LOCAL_DC: 'datacenter1',
    CASSANDRA_GEODB_KEYSPACE: 'd8s_cluster',
    CASSANDRA_KEYSPACE: 'dovekeeper',
    REDIS_URL: addresses.redis,
    PROMETHEUS_URL: addresses.prometheus,
    TEMPORAL_ADDRESS: addresses.temporal,
    TEMPORAL_NAMESPACE: 'default',
    DOVEADM_PORT: String(PORTS.doveadm),
    DOVEADM_API_KEY: LAB_DOVEADM_KEY,
    PROXY_HOSTS: site.proxies.map((host) => host.name).join(','),
    HOST_ADDRESSES: hostAddressesOf(net),
    HTTP_LISTEN: site.api,
    PUBLIC_URL: `http://${site.api}`,
    METRICS_LISTEN: site.workerMetrics,
    UI_DIR: UI_DIST_DIR,
    WORKFLOW_BUNDLE,
    NODE_COMPILE_CACHE: COMPILE_CACHE_DIR,
    LOG_LEVEL: 'info',
    ...(readyAfterMs === undefined ? {} : { READY_AFTER: String(readyAfterMs) }),
    ...LAB_POLICY,
    ...settings,
  };
}

function siteOf(net, siteName) {
  const site = sitesOf(net).find((one) => one.name === siteName);
  if (site === undefined) throw new Error(`the lab has no site ${siteName}`);
  return site;
}

/**
 * @param {{ net: number, siteName: string, settings?: Record<string, string>,
 *   isSecond?: boolean }} options isSecond: one more worker of the same site
 * @returns {import('./part-spec.mjs').PartSpec}
 */
export function workerPart({ net, siteName, settings, isSecond = false }) {
  const address = coreAddressOf(net);
  const port = siteOf(net, siteName).workerPort + (isSecond ? 10 : 0);
  return {
    name: isSecond ? `worker-${siteName}-2` : `worker-${siteName}`,
    stage: 'workers',
    niceness: WORKER_NICENESS,
    command: findProductNode(),
    args: ['worker/main.ts'],
    cwd: ROOT_DIR,
    env: {
      ...controllerEnvironment({ net, siteName, settings }),
      METRICS_LISTEN: `${address}:${port}`,
    },
    waitFor: { kind: 'http', address, port, path: '/health/live' },
    deadlineMs: 90_000,
  };
}

/**
 * @param {{ net: number, siteName: string, readyAfterMs: number,
 *   settings?: Record<string, string> }} options
 * @returns {import('./part-spec.mjs').PartSpec}
 */
export function apiPart({ net, siteName, readyAfterMs, settings }) {
  const address = coreAddressOf(net);
  const port = siteOf(net, siteName).apiPort;
  return {
    name: `api-${siteName}`,
    stage: 'apis',
    command: findProductNode(),
    args: ['api/main.ts'],
    cwd: ROOT_DIR,
    env: controllerEnvironment({ net, siteName, readyAfterMs, settings }),
    waitFor: { kind: 'http', address, port, path: '/health/live' },
    deadlineMs: 90_000,
  };
}
