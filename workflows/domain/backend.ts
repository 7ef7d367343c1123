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
