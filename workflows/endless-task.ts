/** The 5-second tasks: one endless workflow each, because schedules at that pace cost several times as much. */
import {
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  patched,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import {
  pauseTaskSignal,
  resumeTaskSignal,
  setTaskIntervalSignal,
  taskPausedQuery,
  wakeSignal,
} from './contract.ts';
import { pauseMemo, type TaskInput } from './contract.ts';
import type { TaskName } from './domain/decision.ts';
import { frequentActivities } from './activity-options.ts';
import { causeOf } from './failure-cause.ts';

/**
 * A minute of a 5-second task. Whoever takes the place of a killed worker reads all of them again,
 * and a mover that lost its worker as well waits for its turn beside that.
 */
const RUNS_BEFORE_CONTINUING = 12;
/** As it was: histories that were recorded with it go on with it. */
const FORMERLY_BEFORE_CONTINUING = 200;

/**
 * Runs `once` every interval, or earlier when woken; a failed run is recorded and the next one is
 * unaffected. Continues as new after a while with the same rhythm.
 *
 * @param once answers its outcomes by name and count.
 */
export async function runEndlessly(
  input: TaskInput,
  task: TaskName,
  once: () => Promise<Record<string, number>>,
): Promise<void> {
  let isWoken = false;
  let isPaused = input.isPaused === true;
  let pausedNote = input.pausedNote;
  let { intervalSecs } = input;
  setHandler(wakeSignal, () => {
    isWoken = true;
  });
  const tellPause = (): void => {
    if (patched('pause-in-memo')) upsertMemo(pauseMemo(isPaused, pausedNote));
  };
  setHandler(pauseTaskSignal, (note) => {
    isPaused = true;
    pausedNote = note;
    tellPause();
  });
  setHandler(resumeTaskSignal, () => {
    isPaused = false;
    pausedNote = undefined;
    tellPause();
  });
  setHandler(setTaskIntervalSignal, (secs) => {
    intervalSecs = secs;
    upsertMemo({ intervalSecs });
    // what is waited for now was reckoned with the former one
    isWoken ||= !isPaused;
  });
  setHandler(taskPausedQuery, () => ({ isPaused, note: pausedNote ?? null }));
  for (let run = 0; run < FORMERLY_BEFORE_CONTINUING; run += 1) {
    // a run that was asked for while it is paused is not carried along
    const isAsked = isPaused && isWoken;
    if (run >= RUNS_BEFORE_CONTINUING && !isAsked && patched('continues-sooner')) break;
    if (isPaused) await condition(() => !isPaused || isWoken);
    isWoken = false;
    await runOnce(task, once);
    await condition(() => isWoken, intervalSecs * 1000);
    if (workflowInfo().continueAsNewSuggested) break;
  }
  const memo = { intervalSecs, ...pauseMemo(isPaused, pausedNote) };
  const next = makeContinueAsNewFunc<(next: TaskInput) => Promise<void>>({ memo });
  await next({
    siteName: input.siteName,
    intervalSecs,
    isPaused,
    ...(pausedNote === undefined ? {} : { pausedNote }),
  });
}

/** One run of any task, with its start, end, outcomes and error recorded. */
export async function runOnce(
  task: TaskName,
  once: () => Promise<Record<string, number>>,
): Promise<void> {
  const startedAtMs = Date.now();
  let outcomes: Record<string, number> = {};
  let error: string | null = null;
  try {
    outcomes = await once();
  } catch (failure) {
    if (isCancellation(failure)) throw failure;
    error = causeOf(failure);
    log.warn('task run failed', { task, error });
  }
  const run = { task, startedAtMs, endedAtMs: Date.now(), outcomes, error };
  try {
    await frequentActivities().recordTaskRun(run);
  } catch (failure) {
    if (isCancellation(failure)) throw failure;
    log.warn('task run not recorded', { task, error: causeOf(failure) });
  }
}
