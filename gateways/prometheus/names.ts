/**
 * Names of labels and of our own load series. What an operator may call otherwise (how the proxies are
 * chosen, the counters, the load queries) are settings: PROMETHEUS_*.
 */
export const LABELS = {
  /** Tells one proxy from another. */
  proxy: 'instance',
  /** The Backend, in what proxies count: Dovecot's own name for it. */
  target: 'dest_host',
  /** The Backend, in the answers of the load queries. */
  backend: 'host',
} as const;

export const LOAD_FIGURES = ['cpu', 'memoryBytes', 'metacacheBytes', 'samples'] as const;
export type LoadFigure = (typeof LOAD_FIGURES)[number];

/**
 * Two ways to each figure: the series that `deploy/prometheus/load.rules.yml` records, and where nobody
 * has loaded these rules, the measured series themselves.
 */
export const LOAD_QUERIES: Readonly<Record<LoadFigure, readonly string[]>> = {
  cpu: [
    'max by (host) (dovekeeper:backend_cpu_cores:avg1m{site="$site"})',
    'max by (host) (avg_over_time(dovekeeper_backend_cpu_cores{site="$site",host!=""}[$window]))',
  ],
  memoryBytes: [
    'max by (host) (dovekeeper:backend_memory_bytes:avg1m{site="$site"})',
    'max by (host) (avg_over_time(dovekeeper_backend_memory_bytes{site="$site",host!=""}[$window]))',
  ],
  metacacheBytes: [
    'max by (host) (dovekeeper:backend_metacache_bytes:avg1m{site="$site"})',
    'max by (host) (avg_over_time(dovekeeper_backend_metacache_bytes{site="$site",host!=""}[$window]))',
  ],
  samples: [
    'max by (host) (dovekeeper:backend_load:samples1d{site="$site"})',
    'max by (host) (count_over_time(dovekeeper_backend_cpu_cores{site="$site",host!=""}[1d]))',
  ],
};
