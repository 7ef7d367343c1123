/** The settings of a process, read once and checked together. */
import { readFileSync } from 'node:fs';
import type { TaskName } from '../workflows/domain/decision.ts';
import type { PolicySettings } from '../workflows/domain/policy-settings.ts';
import { MAX_LOOK_BACK_SECS } from '../workflows/domain/policy-settings.ts';
import { noticesOf, withFormerNames } from './documented-settings.ts';
import type { Listen, Setting, SettingName } from './settings.ts';
import { SETTINGS } from './settings.ts';

export interface CassandraConfig {
  /** Each as host:port. */
  readonly servers: readonly string[];
  readonly localDataCenter: string;
  /** False: all nodes by turns, whatever their data centre. */
  readonly isDataCenterAware: boolean;
  readonly protocolVersion: number;
  readonly geodbKeyspace: string;
  /** Names of tables of the GeoDB, where they are not ours. */
  readonly geodbTables: Readonly<Record<string, string>>;
  readonly keyspace: string;
  readonly isTlsEnabled: boolean;
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

export interface DoveadmConfig {
  readonly port: number;
  readonly apiKey: string | null;
  /** Addresses of names that DNS does not know. */
  readonly hostAddresses: Readonly<Record<string, string>>;
}

export interface PrometheusConfig {
  readonly url: string;
  /** Label matchers; `$site` stands for the name of the site. */
  readonly proxySelector: string;
  readonly counters: {
    readonly loginSucceeded: string;
    readonly loginFailed: string;
    readonly deliverySucceeded: string;
    readonly deliveryFailed: string;
  };
  /** PromQL with `$site` and `$window`; null: our own series. */
  readonly loadQueries: {
    readonly cpu: string | null;
    readonly memoryBytes: string | null;
    readonly metacacheBytes: string | null;
    readonly samples: string | null;
  };
}

export interface Config {
  /** CLUSTER_SITE. */
  readonly site: string;
  readonly cassandra: CassandraConfig;
  readonly redis: { readonly url: string };
  readonly prometheus: PrometheusConfig;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly doveadm: DoveadmConfig & {
    /** A name that cannot be resolved is forgiven for so long. */
    readonly nameGraceSecs: number;
  };
  readonly proxyHosts: readonly string[];
  readonly http: Listen & {
    /** Without a trailing slash. */
    readonly publicUrl: string;
    readonly uiDir: string;
    readonly readyAfterMs: number | null;
  };
  readonly metrics: Listen;
  readonly workflowBundle: string | null;
  readonly log: { readonly level: string };
  /** What to say at the start about documented settings that do nothing here. */
  readonly notices: readonly string[];
  readonly policy: PolicySettings;
  /** Seconds between runs. */
  readonly intervals: Readonly<Record<Exclude<TaskName, 'scrape_stats'>, number>>;
}

/** Bad settings: all of them, each with its name. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`bad settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

type Value<S> = S extends Setting<infer T> ? T : never;
type Values = { readonly [N in SettingName]: Value<(typeof SETTINGS)[N]> };
type Nullable = {
  readonly [N in SettingName]: Values[N] | null;
};

/** Throws ConfigError with every problem at once. An empty value counts as not set. */
export function readConfig(environment: Environment): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const known = withFormerNames(environment, problems);
  for (const [name, setting] of Object.entries(SETTINGS)) {
    values[name] = readSetting(name, setting, known, problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // Without a problem, what has a default or is required has a value.
  const config = toConfig(values as Values, values as Nullable);
  problems.push(...crossCheck(config.policy, values as Nullable));
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...config, notices: noticesOf(environment) };
}

function readSetting(
  name: string,
  setting: Setting<unknown>,
  environment: Environment,
  problems: string[],
): unknown {
  const text = readText(name, setting, environment, problems) ?? setting.defaultText;
  if (text === undefined) {
    if (setting.isRequired) problems.push(`${name} is not set: ${setting.meaning}`);
    return null;
  }
  const parsed = setting.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const is = setting.isSecret ? '' : `, but is "${text}"`;
  problems.push(`${name} ${parsed.error.issues[0]?.message ?? 'is wrong'}${is}`);
  return null;
}

function readText(
  name: string,
  setting: Setting<unknown>,
  environment: Environment,
  problems: string[],
): string | undefined {
  const own = environment[name];
  const file = setting.isSecret ? environment[`${name}_FILE`] : undefined;
  if (own !== undefined && own !== '') {
    if (file !== undefined && file !== '') problems.push(`${name} and ${name}_FILE are both set`);
    return own;
  }
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    problems.push(`${name}_FILE cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

function toConfig(values: Values, nullable: Nullable): Omit<Config, 'notices'> {
  const { CASSANDRA_USERNAME: username, CASSANDRA_PASSWORD: password } = nullable;
  return {
    site: values.CLUSTER_SITE,
    cassandra: {
      servers: values.CASSANDRA_SERVERS.map((server) =>
        /:\d+$/.test(server) ? server : `${server}:${values.CASSANDRA_PORT}`,
      ),
      localDataCenter: values.CASSANDRA_LOCAL_DC,
      isDataCenterAware: values.CASSANDRA_LOAD_BALANCING_POLICY === 'DCAwareRoundRobin',
      protocolVersion: values.CASSANDRA_PROTOCOL_VERSION,
      geodbKeyspace: values.CASSANDRA_GEODB_KEYSPACE,
      geodbTables: values.CASSANDRA_GEODB_TABLES,
      keyspace: values.CASSANDRA_KEYSPACE,
      isTlsEnabled: values.CASSANDRA_TLS_ENABLED,
      credentials: username !== null && password !== null ? { username, password } : null,
    },
    redis: { url: values.REDIS_URL },
    prometheus: toPrometheusConfig(values, nullable),
    temporal: { address: values.TEMPORAL_ADDRESS, namespace: values.TEMPORAL_NAMESPACE },
    doveadm: {
      port: values.DOVEADM_PORT,
      apiKey: nullable.DOVEADM_API_KEY,
      hostAddresses: values.HOST_ADDRESSES,
      nameGraceSecs: values.BACKEND_REACHABILITY_NAME_RESOLUTION_FAILURE_DURATION_ALLOWED_SECS,
    },
    proxyHosts: values.PROXY_HOSTS,
    http: {
      ...values.HTTP_LISTEN,
      publicUrl: (nullable.PUBLIC_URL ?? urlOf(values.HTTP_LISTEN)).replace(/\/+$/, ''),
      uiDir: values.UI_DIR,
      readyAfterMs: nullable.READY_AFTER,
    },
    metrics: values.METRICS_LISTEN,
    workflowBundle: nullable.WORKFLOW_BUNDLE,
    log: { level: values.LOG_LEVEL },
    policy: toPolicySettings(values),
    intervals: {
      cache_metrics: values.CACHE_METRICS_INTERVAL_SECS,
      check_user_moves: values.CHECK_USER_MOVES_INTERVAL_SECS,
      rebalance_sites: values.REBALANCE_SITES_INTERVAL_SECS,
      check_backend_health: values.CHECK_BACKEND_HEALTH_INTERVAL_SECS,
      evacuate_zero_load_factor_hosts: values.EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS,
      check_site_reachability: values.CHECK_SITE_REACHABILITY_INTERVAL_SECS,
      delete_stale_data: values.DELETE_STALE_DATA_INTERVAL_SECS,
    },
  };
}

function toPrometheusConfig(values: Values, nullable: Nullable): PrometheusConfig {
  return {
    url: values.PROMETHEUS_URL,
    proxySelector: values.PROMETHEUS_PROXY_SELECTOR,
    counters: {
      loginSucceeded: values.PROMETHEUS_LOGIN_SUCCESS_METRIC,
      loginFailed: values.PROMETHEUS_LOGIN_FAILURE_METRIC,
      deliverySucceeded: values.PROMETHEUS_DELIVERY_SUCCESS_METRIC,
      deliveryFailed: values.PROMETHEUS_DELIVERY_FAILURE_METRIC,
    },
    loadQueries: {
      cpu: nullable.PROMETHEUS_CPU_QUERY,
      memoryBytes: nullable.PROMETHEUS_MEMORY_QUERY,
      metacacheBytes: nullable.PROMETHEUS_METACACHE_QUERY,
      samples: nullable.PROMETHEUS_SAMPLES_QUERY,
    },
  };
}

/** An address that listens everywhere is no address to visit. */
function urlOf(listen: Listen): string {
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? 'localhost' : listen.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}

function toPolicySettings(values: Values): PolicySettings {
  return {
    failureRatio: values.HOST_FAILURE_RATIO,
    failureCriticalRatio: values.HOST_FAILURE_CRITICAL_RATIO,
    failureCriticalWindowSecs: values.HOST_FAILURE_CRITICAL_WINDOW_SECS,
    failureWindowSecs: values.HOST_FAILURE_WINDOW_SECS,
    failureMinLogins: values.HOST_FAILURE_MIN_LOGINS,
    failureCoolTimeSecs: values.HOST_FAILURE_COOL_TIME_SECS,
    failureBackendNumThresholdPercent: values.HOST_FAILURE_BACKEND_NUM_THRESHOLD,
    loadBalanceScoreDeltaThresholdRatio: values.HOST_LOAD_BALANCE_SCORE_DELTA_THRESHOLD_RATIO,
    loadBalanceMinCoolTimeSecs: values.HOST_LOAD_BALANCE_MIN_COOL_TIME_SECS,
    loadBalanceBackendCoolTimeSecs: values.HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS,
    loadBalanceMinSamples: values.HOST_LOAD_BALANCE_MIN_SAMPLES,
    loadBalanceMinSpread: values.HOST_LOAD_BALANCE_MIN_SPREAD,
    loadBalanceMoveRatio: values.HOST_LOAD_BALANCE_MOVE_RATIO,
    degradedMoveRatio: values.HOST_DEGRADED_MOVE_RATIO,
    evacuateStepRatio: values.HOST_EVACUATE_STEP_RATIO,
    recoveryMinSuccesses: values.HOST_RECOVERY_MIN_SUCCESSES,
    recoveryWindowSecs: values.HOST_RECOVERY_WINDOW_SECS,
    recoveryMaxHoldSecs: values.HOST_RECOVERY_MAX_HOLD_SECS,
    userMoveStuckSecs: values.USER_MOVE_STUCK_SECS,
    userMoveMaxRetries: values.USER_MOVE_MAX_RETRIES,
    foreignMoveStuckSecs: values.FOREIGN_MOVE_STUCK_SECS,
    maxParallelMoves: values.MAX_PARALLEL_MOVES,
    maxParallelInflow: values.MAX_PARALLEL_INFLOW,
    metricsMaxAgeSecs: values.METRICS_MAX_AGE_SECS,
    metricsMinProxyShare: values.METRICS_MIN_PROXY_SHARE,
  };
}

function crossCheck(policy: PolicySettings, values: Nullable): string[] {
  const problems: string[] = [];
  const demand = (isFine: boolean, problem: string): void => {
    if (!isFine) problems.push(problem);
  };
  demand(
    policy.failureRatio < policy.failureCriticalRatio,
    `HOST_FAILURE_RATIO (${policy.failureRatio}) must be below ` +
      `HOST_FAILURE_CRITICAL_RATIO (${policy.failureCriticalRatio})`,
  );
  demand(
    policy.failureCriticalWindowSecs <= policy.failureWindowSecs,
    'HOST_FAILURE_CRITICAL_WINDOW_SECS must not be above HOST_FAILURE_WINDOW_SECS',
  );
  demand(
    policy.failureWindowSecs <= MAX_LOOK_BACK_SECS,
    `HOST_FAILURE_WINDOW_SECS must not be above ${MAX_LOOK_BACK_SECS}`,
  );
  demand(
    policy.recoveryWindowSecs <= policy.recoveryMaxHoldSecs,
    'HOST_RECOVERY_WINDOW_SECS must not be above HOST_RECOVERY_MAX_HOLD_SECS',
  );
  demand(policy.evacuateStepRatio > 0, 'HOST_EVACUATE_STEP_RATIO must be above 0');
  demand(policy.degradedMoveRatio > 0, 'HOST_DEGRADED_MOVE_RATIO must be above 0');
  demand(
    (values.CASSANDRA_USERNAME === null) === (values.CASSANDRA_PASSWORD === null),
    'CASSANDRA_USERNAME and CASSANDRA_PASSWORD go together',
  );
  demand((values.CASSANDRA_SERVERS ?? []).length > 0, 'CASSANDRA_SERVERS names no server');
  return problems;
}
