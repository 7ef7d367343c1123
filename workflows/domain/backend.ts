/** A Backend: a mail server that serves users. */
export const BACKEND_STATUSES = ['online', 'standby', 'offline'] as const;
export type BackendStatus = (typeof BACKEND_STATUSES)[number];

export interface Backend {
  /** uuid of the GeoDB row. */
  readonly id: string;
  readonly siteId: string;
  /** Name in the GeoDB; the same as `dest_host` in the proxies' metrics. */
  readonly host: string;
  readonly status: BackendStatus;
  /** 0 to 100; 0 means that the operator wants it empty. */
  readonly loadFactor: number;
  /** Cassandra WRITETIME(status) in microseconds: tells our change from an operator's. */
  readonly statusWrittenAtMicros: number | null;
}

/** Whether the controller reaches the doveadm of a Backend: what it does not reach is no target of moves. */
export interface BackendReachability {
  readonly backendId: string;
  readonly isReachable: boolean;
  /** What was wrong at the last look, also within the grace for names; null: it answered. */
  readonly failure: string | null;
  /** Since when it is or is not reachable. */
  readonly sinceMs: number;
  /** First look of an unbroken row in which its name could not be resolved. */
  readonly nameFailingSinceMs: number | null;
  readonly checkedAtMs: number;
}
