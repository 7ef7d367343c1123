export interface LabFile {
  readonly pid: number;
  readonly startTicks: number;
  readonly net: number;
  /** URL of the supervisor's control. */
  readonly control: string;
  readonly startedAtMs: number;
}

/** The lab that runs on this state folder now; null: none. */
export function readRunningLab(stateDir: string): LabFile | null;
