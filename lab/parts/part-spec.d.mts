/** What the supervisor has to know about a part. */
export interface PartSpec {
  readonly name: string;
  /** Decides when it is stopped: traffic first, stores last. */
  readonly stage: 'stores' | 'mail' | 'workers' | 'apis' | 'traffic';
  readonly command: string;
  readonly args: string[];
  /** In addition to the environment of the lab. */
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly waitFor?: Probe;
  /** Instead of waitFor. */
  readonly isReady?: (signal?: AbortSignal) => Promise<boolean>;
  readonly afterFirstStart?: (signal?: AbortSignal) => Promise<void>;
  /** -20 to 19 as for `nice`; absent: 0. */
  readonly niceness?: number;
  /** Milliseconds to become ready. */
  readonly deadlineMs?: number;
  readonly stopSignal?: NodeJS.Signals;
  /** Milliseconds until SIGKILL. */
  readonly stopDeadlineMs?: number;
}

export interface Probe {
  readonly kind: 'tcp' | 'http';
  readonly address: string;
  readonly port: number;
  readonly path?: string;
}

/** What keeps a part from running as usual, by somebody's order; it outlives the lab. */
export type Hold = 'none' | 'stopped' | 'killed' | 'frozen';
