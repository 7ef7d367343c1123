/** What the proxies counted for one Backend in one look-back. */
export interface AttemptCounts {
  readonly succeeded: number;
  readonly failed: number;
}

export interface AttemptWindow {
  readonly windowSecs: number;
  readonly logins: AttemptCounts;
  readonly deliveries: AttemptCounts;
}

export const BLIND_REASONS = [
  'PrometheusUnreachable',
  'PrometheusBadAnswer',
  'MetricsTooOld',
  'TooFewProxies',
  'NoProxies',
  'LabelsMissing',
  'MetricsExportOff',
] as const;
export type BlindReason = (typeof BLIND_REASONS)[number];

/** How much of the site the metrics show. */
export interface MetricsView {
  readonly blindReason: BlindReason | null;
  readonly proxiesExpected: number;
  readonly proxiesSeen: number;
  /** Newest scrape of any proxy of the site; null: none. */
  readonly newestSampleMs: number | null;
  readonly scrapeIntervalSecs: number | null;
}

/** Load of one Backend; a null was not measured. */
export interface BackendLoad {
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly metacacheBytes: number | null;
  readonly samples: number;
}

/** One read of Prometheus for one site. */
export interface SiteMetrics {
  readonly takenAtMs: number;
  readonly view: MetricsView;
  /** By `dest_host`; windows ascending. A Backend without a series is absent. */
  readonly attempts: Readonly<Record<string, readonly AttemptWindow[]>>;
  /** By Backend host. */
  readonly load: Readonly<Record<string, BackendLoad>>;
}
