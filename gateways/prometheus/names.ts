/** Names of metrics, jobs and labels, as `deploy/prometheus` has them scraped. */
export const METRIC_NAMES = {
  /** Job of the proxies' own metrics; its `up` shows how much of the site we see. */
  proxyJob: 'dovecot_proxy',
  siteLabel: 'site',
  /** Tells one proxy from another. */
  proxyLabel: 'instance',
  /** The Backend, in what proxies count. */
  targetLabel: 'dest_host',
  /** The Backend, in what Backends export. */
  backendLabel: 'host',
  loginSucceeded: 'dovecot_proxy_session_success_total',
  loginFailed: 'dovecot_proxy_session_failure_total',
  deliverySucceeded: 'dovecot_lmtp_rcpt_finished_success_total',
  deliveryFailed: 'dovecot_lmtp_rcpt_finished_failure_total',
  cpuCores: 'dovekeeper_backend_cpu_cores',
  memoryBytes: 'dovekeeper_backend_memory_bytes',
  metacacheBytes: 'dovekeeper_backend_metacache_bytes',
} as const;

export type MetricNames = typeof METRIC_NAMES;
