/**
 * Every setting of the processes: name, default and meaning in one place. Units are in the names.
 * The table of the operator's guide is made from it.
 */
import { z } from 'zod';
import {
  LOG_LEVELS,
  addresses,
  count,
  define,
  flag,
  keyspaceName,
  list,
  listen,
  metricName,
  percent,
  port,
  positive,
  promql,
  ratio,
  score,
  secs,
  selector,
  tables,
  text,
  url,
  word,
  type Listen,
  type Setting,
} from './setting-kinds.ts';

export type { Listen, Setting };

export const SETTINGS = {
  CLUSTER_SITE: define(word, 'the site that this controller governs, as named in the GeoDB', {
    isRequired: true,
  }),

  CASSANDRA_SERVERS: define(list, 'contact points: host or host:port, comma separated', {
    default: 'localhost',
  }),
  CASSANDRA_PORT: define(port, 'CQL port of contact points that name none', { default: '9042' }),
  CASSANDRA_LOCAL_DC: define(text, 'local data centre; CASSANDRA_SITE is its older name', {
    default: 'datacenter1',
  }),
  CASSANDRA_LOAD_BALANCING_POLICY: define(
    z.enum(['RoundRobin', 'DCAwareRoundRobin'], 'must be RoundRobin or DCAwareRoundRobin'),
    'which nodes are asked: those of the local data centre, or all by turns',
    { default: 'DCAwareRoundRobin' },
  ),
  CASSANDRA_PROTOCOL_VERSION: define(
    z
      .enum(['3', '4'], 'must be 3 or 4: the driver knows no newer one')
      .transform((version) => Number(version)),
    'highest version of the native protocol that is spoken',
    { default: '4' },
  ),
  CASSANDRA_USED_HOSTS_PER_REMOTE_DC: define(
    count,
    'no effect: LOCAL_QUORUM is never served by another data centre',
    { default: '0' },
  ),
  CASSANDRA_GEODB_KEYSPACE: define(keyspaceName, 'keyspace of the GeoDB', {
    default: 'd8s_cluster',
  }),
  CASSANDRA_GEODB_TABLES: define(
    tables,
    'tables of the GeoDB that have other names: users=my_users,...; columns: gateways/geodb/names.ts',
    { default: '' },
  ),
  CASSANDRA_KEYSPACE: define(keyspaceName, 'our own keyspace', { default: 'dovekeeper' }),
  CASSANDRA_TLS_ENABLED: define(flag, 'TLS to Cassandra', { default: 'false' }),
  CASSANDRA_USERNAME: define(text, 'user of Cassandra; none: no authentication', {
    isSecret: true,
  }),
  CASSANDRA_PASSWORD: define(text, 'password of that user', { isSecret: true }),

  REDIS_URL: define(url('redis', 'rediss'), 'cache and live updates', {
    default: 'redis://localhost:6379/0',
    isSecret: true,
  }),
  PROMETHEUS_URL: define(url('http', 'https'), 'where the proxies and Backends are scraped', {
    default: 'http://localhost:9090',
  }),
  PROMETHEUS_PROXY_SELECTOR: define(
    selector,
    'label matchers of the proxies of a site, in `up` and in what they count; $site is its name',
    { default: 'job="dovecot_proxy",site="$site"' },
  ),
  PROMETHEUS_LOGIN_SUCCESS_METRIC: define(metricName, 'counter of logins, by `dest_host`', {
    default: 'dovecot_proxy_session_success_total',
  }),
  PROMETHEUS_LOGIN_FAILURE_METRIC: define(metricName, 'counter of failed logins', {
    default: 'dovecot_proxy_session_failure_total',
  }),
  PROMETHEUS_DELIVERY_SUCCESS_METRIC: define(metricName, 'counter of deliveries', {
    default: 'dovecot_lmtp_rcpt_finished_success_total',
  }),
  PROMETHEUS_DELIVERY_FAILURE_METRIC: define(metricName, 'counter of failed deliveries', {
    default: 'dovecot_lmtp_rcpt_finished_failure_total',
  }),
  PROMETHEUS_CPU_QUERY: define(
    promql,
    'PromQL: CPU used by each Backend, by `host`; $site and $window are filled in; none: our own series',
  ),
  PROMETHEUS_MEMORY_QUERY: define(promql, 'the same for memory'),
  PROMETHEUS_METACACHE_QUERY: define(promql, 'the same for the metacache'),
  PROMETHEUS_SAMPLES_QUERY: define(
    promql,
    'PromQL: how many samples of its load each Backend has, by `host`',
  ),
  TEMPORAL_ADDRESS: define(text, 'host:port of the Temporal frontend', {
    default: 'localhost:7233',
  }),
  TEMPORAL_NAMESPACE: define(word, 'namespace at Temporal', { default: 'default' }),

  DOVEADM_PORT: define(port, 'doveadm HTTP port of Backends and proxies', { default: '24280' }),
  DOVEADM_API_KEY: define(text, 'doveadm_api_key of the site', { isSecret: true }),
  PROXY_HOSTS: define(list, 'names of the proxies of this site, comma separated', { default: '' }),
  HOST_ADDRESSES: define(addresses, 'addresses of names that DNS does not know: name=address,...', {
    default: '',
  }),

  BACKEND_REACHABILITY_NAME_RESOLUTION_FAILURE_DURATION_ALLOWED_SECS: define(
    count,
    'seconds that a Backend whose name cannot be resolved still counts as reachable',
    { default: '10' },
  ),

  HTTP_LISTEN: define(listen, 'address:port of API and UI', { default: '127.0.0.1:8080' }),
  METRICS_LISTEN: define(listen, 'address:port of the worker metrics', {
    default: '127.0.0.1:9464',
  }),
  PUBLIC_URL: define(
    url('http', 'https'),
    'address of the UI as people see it; default: made from HTTP_LISTEN',
  ),
  UI_DIR: define(text, 'folder of the built UI', { default: 'ui/dist' }),
  READY_AFTER: define(
    count,
    'epoch milliseconds: ready only after every Backend with users was judged since then',
  ),
  WORKFLOW_BUNDLE: define(text, 'prebuilt workflow bundle; none: built at start-up'),
  LOG_LEVEL: define(
    z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    'least level that is logged',
    {
      default: 'info',
    },
  ),

  HOST_FAILURE_RATIO: define(ratio, 'failures / attempts above it: degraded', { default: '0.1' }),
  HOST_FAILURE_CRITICAL_RATIO: define(ratio, 'failures / attempts above it: critical', {
    default: '0.9',
  }),
  HOST_FAILURE_CRITICAL_WINDOW_SECS: define(secs, 'look-back for critical', { default: '30' }),
  HOST_FAILURE_WINDOW_SECS: define(
    secs,
    'look-back for degraded, which acts after it held for a whole window',
    { default: '60' },
  ),
  HOST_FAILURE_MIN_LOGINS: define(positive, 'attempts needed for a verdict', { default: '100' }),
  HOST_FAILURE_COOL_TIME_SECS: define(
    secs,
    'per Backend between partial moves, and per user between moves',
    { default: '300' },
  ),
  HOST_FAILURE_BACKEND_NUM_THRESHOLD: define(
    percent,
    'per cent of failing Backends above which catastrophe protection holds',
    { default: '50' },
  ),
  HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO: define(
    score,
    'score of the most minus the least loaded Backend needed to move users',
    { default: '3.0' },
  ),
  HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS: define(
    secs,
    'before the same user is balanced again, and a Backend after users were moved off because it failed',
    { default: '3600' },
  ),
  HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS: define(
    secs,
    'before the same Backend is balanced again',
    {
      default: '300',
    },
  ),
  HOST_LOAD_BALANCE_MIN_SAMPLES: define(count, 'samples of a load before it is trusted', {
    default: '3000',
  }),
  HOST_LOAD_BALANCE_MIN_SPREAD: define(
    score,
    'standard deviation / mean of a metric below which it scores 0, and below which two Backends are even',
    { default: '0.05' },
  ),
  HOST_LOAD_BALANCE_MOVE_RATIO: define(ratio, 'most users balanced per cycle, as a share', {
    default: '0.05',
  }),
  HOST_DEGRADED_MOVE_RATIO: define(
    ratio,
    'share of current users moved per step off a degraded Backend',
    {
      default: '0.2',
    },
  ),
  HOST_EVACUATE_STEP_RATIO: define(ratio, 'share of the original users per evacuation round', {
    default: '0.2',
  }),
  HOST_RECOVERY_MIN_SUCCESSES: define(positive, 'probes without a failure before a return', {
    default: '3',
  }),
  HOST_RECOVERY_WINDOW_SECS: define(secs, 'look-back for these probes; first hold-down', {
    default: '60',
  }),
  HOST_RECOVERY_MAX_HOLD_SECS: define(secs, 'longest hold-down after repeated returns', {
    default: '3600',
  }),
  USER_MOVE_STUCK_SECS: define(secs, 'a move that takes longer is stuck', { default: '60' }),
  USER_MOVE_MAX_RETRIES: define(count, 'retries of a stuck move before it is forced', {
    default: '3',
  }),
  FOREIGN_MOVE_STUCK_SECS: define(secs, 'before a move that somebody else started is finished', {
    default: '900',
  }),
  MAX_PARALLEL_MOVES: define(positive, 'users that one source moves at a time', { default: '100' }),
  MAX_PARALLEL_INFLOW: define(positive, 'users in flight to one target', { default: '200' }),
  METRICS_MAX_AGE_SECS: define(secs, 'older metrics are no metrics', { default: '30' }),
  METRICS_MIN_PROXY_SHARE: define(ratio, 'share of the proxies that must be scraped', {
    default: '0.8',
  }),

  CACHE_METRICS_INTERVAL_SECS: define(secs, 'between runs of cache_metrics', { default: '5' }),
  CHECK_USER_MOVES_INTERVAL_SECS: define(secs, 'between runs of check_user_moves', {
    default: '5',
  }),
  REBALANCE_SITES_INTERVAL_SECS: define(secs, 'between runs of rebalance_sites', {
    default: '60',
  }),
  CHECK_BACKEND_HEALTH_INTERVAL_SECS: define(secs, 'between runs of check_backend_health', {
    default: '60',
  }),
  EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: define(
    secs,
    'between runs of evacuate_zero_load_factor_hosts',
    { default: '60' },
  ),
  CHECK_SITE_REACHABILITY_INTERVAL_SECS: define(secs, 'between runs of check_site_reachability', {
    default: '60',
  }),
  DELETE_STALE_DATA_INTERVAL_SECS: define(secs, 'between runs of delete_stale_data', {
    default: '86400',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
