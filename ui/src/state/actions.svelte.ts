/** What an operator can do. Stopping is one click with Undo; the rest comes from dialogs with a reason. */
import { api } from '../api/client.ts';
import { ApiFailure } from '../api/failure.ts';
import type { Operation, TaskName } from '../api/model.ts';
import { operationTitle } from '../format/operations.ts';
import { cluster } from './cluster.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** Sent where stopping does not wait for a reason. */
const ONE_CLICK = 'one click in the UI, no reason given';
const UNDO = 'undone in the UI';

export interface RunningAction {
  readonly isRunning: boolean;
  readonly error: Error | null;
  /** True when it is done; the error is kept otherwise. */
  run(what: () => Promise<unknown>): Promise<boolean>;
}

/** State of one button or dialog while its request is on the way. */
export function runAction(): RunningAction {
  let isRunning = $state(false);
  let error = $state.raw<Error | null>(null);
  return {
    get isRunning() {
      return isRunning;
    },
    get error() {
      return error;
    },
    async run(what) {
      isRunning = true;
      error = null;
      try {
        await what();
        return true;
      } catch (cause) {
        error = cause instanceof Error ? cause : new Error(String(cause));
        return false;
      } finally {
        isRunning = false;
      }
    },
  };
}

/** Stops every automatic action of the site. */
export async function pauseAutomation(): Promise<void> {
  await attempt('Pausing automation failed.', async () => {
    await api.setAutomation('paused', ONE_CLICK);
    await cluster.refresh();
    toasts.add({
      kind: 'ok',
      title: 'Automation paused.',
      text: 'Nothing starts by itself; running automatic Operations pause.',
      action: { label: 'Undo', run: () => void undoPauseAutomation() },
    });
  });
}

async function undoPauseAutomation(): Promise<void> {
  await attempt('Automation is still paused.', async () => {
    await api.setAutomation('running', UNDO);
    await cluster.refresh();
  });
}

export async function pauseOperation(operation: Operation): Promise<void> {
  const title = operationTitle(operation);
  await attempt(`${title}: pause failed.`, async () => {
    await api.pauseOperation(operation.operationId, ONE_CLICK);
    await cluster.refresh();
    toasts.add({
      kind: 'ok',
      title: `${title} paused.`,
      text: 'Users on their way arrive; nobody else is moved.',
      action: { label: 'Undo', run: () => void undoPauseOperation(operation) },
    });
  });
}

async function undoPauseOperation(operation: Operation): Promise<void> {
  await attempt(`${operationTitle(operation)} is still paused.`, async () => {
    await api.resumeOperation(operation.operationId, UNDO);
    await cluster.refresh();
  });
}

/** Pauses whatever runs and can be paused. */
export async function pauseAllOperations(operations: readonly Operation[]): Promise<void> {
  const running = operations.filter(({ allowedActions }) => allowedActions.includes('pause'));
  for (const operation of running) await pauseOperation(operation);
}

/** Applies at once; the audit has who. */
export async function setSpeed(operation: Operation, speedPercent: number): Promise<void> {
  const title = operationTitle(operation);
  await attempt(`${title}: speed not changed.`, async () => {
    await api.setSpeed(operation.operationId, speedPercent, ONE_CLICK);
    toasts.add({ kind: 'ok', title: `${title}: speed ${speedPercent} %.` });
  });
}

/** Stops the rhythm of one task. */
export async function pauseTask(task: TaskName): Promise<void> {
  await attempt(`${task}: pause failed.`, async () => {
    await api.pauseTask(task, ONE_CLICK);
    toasts.add({
      kind: 'ok',
      title: `${task} paused.`,
      text: 'It does not run until it is resumed.',
      action: { label: 'Undo', run: () => void undoPauseTask(task) },
    });
  });
}

async function undoPauseTask(task: TaskName): Promise<void> {
  await attempt(`${task} is still paused.`, () => api.resumeTask(task, UNDO));
}

async function attempt(title: string, what: () => Promise<unknown>): Promise<void> {
  try {
    await what();
  } catch (cause) {
    const failure = cause instanceof ApiFailure ? cause : null;
    const may = failure?.mayHaveHappened === true ? ' It may have happened.' : '';
    toasts.add({
      kind: 'crit',
      title,
      text: `${cause instanceof Error ? cause.message : String(cause)}${may}`,
      requestId: failure?.requestId ?? null,
    });
  }
}
