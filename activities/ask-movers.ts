/** Requests to movers and other tasks: the only way in which one workflow reaches another here. */
import type {
  ControlMessage,
  FollowUpMessage,
  MoveAnswer,
  MoveRequest,
} from '../workflows/contract.ts';
import type { TaskName } from '../workflows/domain/decision.ts';
import { isEnded } from '../workflows/domain/operation.ts';
import type { ActivityContext } from './context.ts';
import { isRepeat } from './heartbeat.ts';
import { assertOwnsSite } from './site-owner.ts';

export interface ControlInput {
  readonly sourceHost: string;
  readonly verb: 'pause' | 'resume' | 'cancel' | 'endEarly';
  readonly message: ControlMessage;
  readonly epoch?: number | null;
}

export interface AskMoversActivities {
  /** Update-with-start: the mover of the source answers, or is started to answer. */
  requestMoves(request: MoveRequest): Promise<MoveAnswer>;
  /** False: no mover runs for that Backend. */
  controlMover(input: ControlInput): Promise<boolean>;
  followUpMoves(input: {
    sourceHost: string;
    message: FollowUpMessage;
    epoch?: number | null;
  }): Promise<boolean>;
  wakeTask(input: { task: TaskName }): Promise<void>;
}

export function createAskMovers(context: ActivityContext): AskMoversActivities {
  const { temporal, config } = context;
  return {
    async requestMoves(request) {
      const { epoch } = await assertOwnsSite(context, request);
      const { operationId } = request;
      // The answer of an earlier try may be lost, and its operation over: it must not run twice.
      const former = isRepeat() ? await context.store.readOperation(operationId) : null;
      if (former !== null && isEnded(former.state)) return { answer: 'accepted', operationId };
      return temporal.requestMoves({ ...request, epoch });
    },
    async controlMover({ sourceHost, verb, message, epoch }) {
      await assertOwnsSite(context, { epoch });
      return temporal.control(config.site, sourceHost, verb, message);
    },
    async followUpMoves({ sourceHost, message, epoch }) {
      await assertOwnsSite(context, { epoch });
      return temporal.followUp(config.site, sourceHost, message);
    },
    wakeTask: ({ task }) => temporal.runTask(config.site, task),
  };
}
