/** Temporal as a client: asks movers, wakes and inspects tasks. */
import type {
  ControlMessage,
  FollowUpMessage,
  MoveAnswer,
  MoveRequest,
  RetargetMessage,
} from '../../workflows/contract.ts';
import type { TaskName } from '../../workflows/domain/decision.ts';

export interface TaskState {
  readonly task: TaskName;
  readonly isPaused: boolean;
  readonly pausedNote: string | null;
  readonly nextRunAtMs: number | null;
}

/** Every method throws GatewayError{system: 'temporal'}. */
export interface Temporal {
  /** Update-with-start on the mover of the source Backend. */
  requestMoves(request: MoveRequest): Promise<MoveAnswer>;
  /** False: no such mover runs. */
  isMoverRunning(siteName: string, sourceHost: string): Promise<boolean>;
  /** False: no such mover runs. */
  control(
    siteName: string,
    sourceHost: string,
    verb: 'pause' | 'resume' | 'cancel' | 'endEarly',
    message: ControlMessage,
  ): Promise<boolean>;
  setSpeed(
    siteName: string,
    sourceHost: string,
    message: ControlMessage & { speedPercent: number },
  ): Promise<boolean>;
  /** Other targets for what is not sent yet. False: no such mover runs. */
  retarget(siteName: string, sourceHost: string, message: RetargetMessage): Promise<boolean>;
  followUp(siteName: string, sourceHost: string, message: FollowUpMessage): Promise<boolean>;
  /** Starts one run now. */
  runTask(siteName: string, task: TaskName): Promise<void>;
  pauseTask(siteName: string, task: TaskName, note: string): Promise<void>;
  resumeTask(siteName: string, task: TaskName, note: string): Promise<void>;
  readTask(siteName: string, task: TaskName): Promise<TaskState | null>;
  /** All that are there. Schedules as Temporal lists them: a second or two behind, for a fifth of the cost. */
  listTasks(siteName: string): Promise<TaskState[]>;
  /** `<cluster id>/<namespace>`: who owns a site. At most 10 s old, since every act asks for it; or asked now. */
  readOwnerName(options?: { readonly isAskedNow?: boolean }): Promise<string>;
  ping(): Promise<void>;
}
