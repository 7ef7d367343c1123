/** The least that a mover and an endless task must answer to, for the test of the gateway. */
import { condition, setHandler } from '@temporalio/workflow';
import {
  cancelSignal,
  endEarlySignal,
  followUpSignal,
  pauseSignal,
  pauseTaskSignal,
  progressQuery,
  requestMoves,
  resumeSignal,
  resumeTaskSignal,
  setSpeedSignal,
  taskPausedQuery,
  wakeSignal,
} from '../../workflows/contract.ts';
import type { MoverInput, TaskInput } from '../../workflows/contract.ts';
import type { Operation } from '../../workflows/domain/operation.ts';

/** Answers what it was told, as words in `stateReason`; ends when it is cancelled. */
export async function moveUsersOff(input: MoverInput): Promise<string[]> {
  const heard: string[] = [];
  let running: string | null = null;
  let isOver = false;
  setHandler(requestMoves, ({ operationId }) => {
    heard.push(`request ${operationId}`);
    if (running !== null) return { answer: 'refused', runningId: running, reason: 'busy' };
    running = operationId;
    return { answer: 'accepted', operationId };
  });
  setHandler(pauseSignal, ({ actor }) => void heard.push(`pause ${actor ?? ''}`));
  setHandler(resumeSignal, () => void heard.push('resume'));
  setHandler(wakeSignal, () => void heard.push('wake'));
  setHandler(endEarlySignal, () => void heard.push('endEarly'));
  setHandler(setSpeedSignal, ({ speedPercent }) => void heard.push(`speed ${speedPercent}`));
  setHandler(followUpSignal, ({ forceChunks }) => void heard.push(`force ${forceChunks.join()}`));
  setHandler(cancelSignal, () => {
    isOver = true;
  });
  const words = (): Operation =>
    ({ sourceHost: input.sourceHost, stateReason: heard.join('|') }) as Operation;
  setHandler(progressQuery, words);
  await condition(() => isOver);
  return heard;
}

export async function cacheMetrics(_input: TaskInput): Promise<void> {
  let isPaused = false;
  let pausedNote: string | null = null;
  let isOver = false;
  setHandler(pauseTaskSignal, (note) => {
    isPaused = true;
    pausedNote = note ?? null;
  });
  setHandler(resumeTaskSignal, () => {
    isPaused = false;
  });
  setHandler(taskPausedQuery, () => ({ isPaused, note: pausedNote }));
  setHandler(wakeSignal, () => {
    isOver = !isPaused;
  });
  await condition(() => isOver);
}

export async function checkBackendHealth(_input: TaskInput): Promise<string> {
  await Promise.resolve();
  return 'ran';
}
