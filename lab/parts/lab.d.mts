/** Types of lab.mjs for the tests, which are TypeScript. */
import type { Hold } from './part-spec.mjs';
import type { Progress } from './progress.mjs';
import type { Step } from './run-steps.mjs';

export interface LabOptions {
  /** 0 to 250, or a free one of 10 to 99. */
  readonly net: number | 'free';
  /** Everything the lab remembers; start again with the same folder to go on. */
  readonly stateDir: string;
  /**
   * Names of parts, or of groups: infra, mail, traffic, workers, apis. Absent: all groups.
   * A second worker of a site (`worker-north-2`) starts only when named.
   */
  readonly parts?: readonly string[];
  /** Settings of the controllers, over those of the lab. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * For one part each, over `settings`, by its name; asked once the net is known and before anything
   * starts, so that whoever stands between the parts can listen first.
   */
  readonly partSettings?: (
    net: number,
  ) => Promise<Readonly<Record<string, Readonly<Record<string, string>>>>>;
  /** Cassandra's Java with both of its compilers, as in production: for labs that measure. Absent: the quick one. */
  readonly compilesFully?: boolean;
  /** One line at a time. */
  readonly print?: (line: string) => void;
  /** Instead of print. */
  readonly progress?: Progress;
  /** Interrupts the start. */
  readonly signal?: AbortSignal;
  readonly extraSteps?: readonly Step[];
}

export interface LabSite {
  readonly name: string;
  readonly proxies: readonly { readonly name: string; readonly address: string }[];
  readonly backends: readonly { readonly name: string; readonly address: string }[];
  /** Each as address:port. */
  readonly api: string;
  readonly apiPort: number;
  readonly workerMetrics: string;
  readonly workerPort: number;
}

export interface PartStatus {
  readonly name: string;
  /** waiting, starting, running, restarting, frozen, stopped, killed, ended. */
  readonly state: string;
  readonly hold: Hold;
  readonly pid: number | null;
  /** Epoch milliseconds at which it entered this state. */
  readonly sinceMs: number;
  readonly restarts: number;
  readonly logFile: string;
}

/** Settles when every part answers; a part that cannot be had rejects with a LabProblem. */
export function startLab(options: LabOptions): Promise<Lab>;

export declare class Lab {
  readonly net: number;
  readonly stateDir: string;
  readonly startedAtMs: number;
  readonly readyAtMs: number | null;
  readonly sites: readonly LabSite[];
  readonly addresses: {
    readonly net: number;
    readonly host: string;
    readonly temporal: string;
    readonly temporalUi: string;
    readonly cassandra: string;
    readonly redis: string;
    readonly prometheus: string;
    readonly control: string;
    readonly traffic: string;
  };
  /** Settles when the lab is down. */
  readonly ended: Promise<void>;
  readonly isStopping: boolean;
  status(): PartStatus[];
  /** Throws where it does not run. */
  pidOf(name: string): number;
  logFileOf(name: string): string;
  /** Stays down until startPart, also across a restart of the lab. */
  stopPart(name: string): Promise<void>;
  startPart(name: string): void;
  /** kill -9 of the whole process group; started again unless it staysDown. */
  killPart(name: string, options?: { readonly staysDown?: boolean }): Promise<void>;
  freezePart(name: string): void;
  thawPart(name: string): void;
  /** One more part of a running lab, for example `worker-north-2`; settles when it answers. */
  addPart(name: string): Promise<void>;
  /** The environment of the controller processes of a site. */
  environmentOf(siteName: string): Record<string, string>;
  /** Runs a script of the product, for example api/issue-token.ts; what it printed. */
  runScript(siteName: string, args: readonly string[]): Promise<string>;
  /** Waits until the API of each site calls itself ready; answers: the last word of each. */
  waitReady(options: {
    readonly deadlineMs: number;
  }): Promise<{ isReady: boolean; answers: Record<string, string> }>;
  /** Ends everything in good order. */
  stop(): Promise<void>;
  /** kill -9 of everything at once, the way a power cut would do it. */
  killEverything(): Promise<void>;
}
