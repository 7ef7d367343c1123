/** Asks the movers: starts an evacuation, and pauses, resumes, cancels or slows what runs. */
import { ulid } from 'ulid';
import { GatewayError } from '../gateways/gateway-error.ts';
import type { Backend } from '../workflows/domain/backend.ts';
import { isAutomatic, outranks, type Operation } from '../workflows/domain/operation.ts';
import { NO_MOVES } from '../workflows/domain/user-move.ts';
import type { MoveAnswer, MoveRequest } from '../workflows/contract.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError } from './errors.ts';
import { allowedActions, type OperationAction } from './operation-view.ts';

export interface Asked {
  readonly actor: string;
  readonly reason: string;
  readonly holdSecs?: number;
  /** Of what is started, 1 to 100; absent: full speed. */
  readonly speedPercent?: number | undefined;
  /** Of the site's claim. */
  readonly epoch?: number | null;
}

/** For the audit: what was started, and at which speed where it is not full speed. */
export function startedDetail(
  operations: readonly Pick<Operation, 'operationId' | 'speedPercent'>[],
): string {
  const speed = operations[0]?.speedPercent ?? 100;
  const ids = operations.map(({ operationId }) => operationId).join(' ');
  return speed === 100 ? ids : `${ids} at ${speed} %`;
}

/** Throws ApiError OperationUnknown. */
export async function findOperation(
  { store }: Dependencies,
  operationId: string,
): Promise<Operation> {
  const operation = await store.readOperation(operationId);
  if (operation === null) {
    throw new ApiError('OperationUnknown', `there is no operation ${operationId}`);
  }
  return operation;
}

/**
 * Writes the planned row first, so that it can be watched from the start, then asks the mover.
 * Throws ApiError OperationRunning, or GatewayError{cassandra | temporal}.
 */
export async function requestEvacuation(
  dependencies: Dependencies,
  source: Backend,
  users: number,
  asked: Asked,
): Promise<Operation> {
  return requestOperation(dependencies, source, users, newRequest(dependencies, source, asked));
}

/** Any request to the mover of one source; `users` as it is expected. Throws as `requestEvacuation` does. */
export async function requestOperation(
  dependencies: Dependencies,
  source: Backend,
  users: number,
  request: MoveRequest,
): Promise<Operation> {
  const { store, temporal } = dependencies;
  await requireNothingInTheWay(dependencies, source);
  const planned = plannedOperation(dependencies, request, users);
  await store.saveOperation(planned);
  let answer: MoveAnswer;
  try {
    answer = await temporal.requestMoves(request);
  } catch (error) {
    // An unknown outcome stays planned: an end would hide the mover that took it after all.
    const isLost = error instanceof GatewayError && error.code === 'Unreachable';
    if (isLost) await endUntaken(dependencies, planned, 'TemporalUnavailable');
    throw error;
  }
  if (answer.answer === 'refused') {
    await endUntaken(dependencies, planned, 'OperationRunning');
    throw operationRunning(source, answer.runningId);
  }
  return (await store.readOperation(planned.operationId)) ?? planned;
}

/** Throws ApiError OperationStateConflict with the state, NotHomeSite or MoverNotRunning. */
export async function controlOperation(
  dependencies: Dependencies,
  operation: Operation,
  verb: 'pause' | 'resume' | 'cancel',
  asked: Asked,
): Promise<void> {
  const message = { operationId: operation.operationId, ...asked };
  const { siteName, sourceHost } = operation;
  const wasTaken = await dependencies.temporal.control(siteName, sourceHost, verb, message);
  if (!wasTaken && verb === 'cancel' && (await isUntaken(dependencies, operation))) {
    await endUntaken(dependencies, operation, 'NotTaken');
    return;
  }
  requireRunning(wasTaken, operation);
}

/** Throws as `controlOperation` does. */
export async function setOperationSpeed(
  { temporal }: Dependencies,
  operation: Operation,
  asked: Asked & { readonly speedPercent: number },
): Promise<void> {
  const message = { operationId: operation.operationId, ...asked };
  const { siteName, sourceHost } = operation;
  requireRunning(await temporal.setSpeed(siteName, sourceHost, message), operation);
}

/** Throws as `controlOperation` does. */
export async function retargetOperation(
  { temporal }: Dependencies,
  operation: Operation,
  asked: Asked & { readonly targetIds: readonly string[] },
): Promise<void> {
  const message = { operationId: operation.operationId, ...asked };
  const { siteName, sourceHost } = operation;
  requireRunning(await temporal.retarget(siteName, sourceHost, message), operation);
}

/** Checks what may be asked of an operation before anything is asked. */
export function requireAllowed(
  { config }: Dependencies,
  operation: Operation,
  action: OperationAction,
): void {
  const { operationId, siteName, state } = operation;
  if (siteName !== config.site) {
    throw new ApiError('NotHomeSite', `${operationId} belongs to ${siteName}: ask its controller`);
  }
  if (!allowedActions(operation).includes(action)) {
    const text = `${action} is not possible while the operation is ${state}`;
    throw new ApiError('OperationStateConflict', text, { operationId, state });
  }
}

/**
 * Keeps automation off a Backend whose automatic operation was cancelled, or the next cycle would
 * undo the cancel. Written before the cancel, so that no cycle falls in between.
 */
export async function holdAutomationOff(
  { store, now }: Dependencies,
  operation: Operation,
  holdSecs: number,
): Promise<void> {
  if (!isAutomatic(operation.cause) || holdSecs === 0) return;
  await store.updateBackendMemory(operation.siteName, {
    backendId: operation.sourceId,
    operatorHoldUntilMs: now() + holdSecs * 1000,
  });
}

async function requireNothingInTheWay(dependencies: Dependencies, source: Backend): Promise<void> {
  const { store, config } = dependencies;
  const open = await store.listOpenOperations(config.site);
  const running = open.find((operation) => operation.sourceId === source.id);
  if (running === undefined || outranks('operator', running.cause)) return;
  if (await isUntaken(dependencies, running)) {
    await endUntaken(dependencies, running, 'NotTaken');
    return;
  }
  throw operationRunning(source, running.operationId);
}

/** Planned, and no mover is there that could have taken it: its request got lost. */
async function isUntaken({ temporal }: Dependencies, operation: Operation): Promise<boolean> {
  const { state, siteName, sourceHost } = operation;
  return state === 'planned' && !(await temporal.isMoverRunning(siteName, sourceHost));
}

function operationRunning(source: Backend, operationId: string): ApiError {
  const text = `operation ${operationId} is running on ${source.host}: cancel it or wait`;
  return new ApiError('OperationRunning', text, { operationId });
}

/** An operator's evacuation, with a fresh id; other moves change what is different. */
export function newRequest(
  { config }: Dependencies,
  source: Backend,
  { actor, reason, epoch = null, speedPercent }: Asked,
): MoveRequest {
  return {
    operationId: ulid(),
    siteName: config.site,
    kind: 'evacuation',
    cause: 'operator',
    sourceId: source.id,
    sourceHost: source.host,
    targetIds: [],
    maxUsers: null,
    stepRatio: config.policy.evacuateStepRatio,
    minLastMovedSecs: null,
    endsOffline: false,
    isForced: false,
    requestedBy: actor,
    reason,
    decisionId: null,
    epoch,
    ...(speedPercent === undefined ? {} : { speedPercent }),
  };
}

function plannedOperation({ now }: Dependencies, request: MoveRequest, users: number): Operation {
  const { operationId, siteName, kind, cause, sourceId, sourceHost, targetIds } = request;
  return {
    operationId,
    siteName,
    kind,
    cause,
    sourceId,
    sourceHost,
    targetIds,
    state: 'planned',
    stateReason: null,
    requestedBy: request.requestedBy,
    reason: request.reason,
    decisionId: null,
    originalCount: users,
    round: 0,
    counts: { ...NO_MOVES, planned: users, remaining: users },
    stuck: 0,
    forced: 0,
    speedPercent: request.speedPercent ?? 100,
    createdAtMs: now(),
    startedAtMs: null,
    firstConfirmedAtMs: null,
    endedAtMs: null,
    updatedAtMs: now(),
    order: {
      maxUsers: request.maxUsers,
      stepRatio: request.stepRatio,
      minLastMovedSecs: request.minLastMovedSecs,
      endsOffline: request.endsOffline,
      isForced: request.isForced,
      selectionId: request.selectionId ?? null,
    },
  };
}

/** Ends the row of an operation that no mover took. */
async function endUntaken(
  { store, logger, now }: Dependencies,
  planned: Operation,
  stateReason: string,
): Promise<void> {
  const { operationId } = planned;
  logger.warn({ operationId, stateReason }, 'operation was not taken by a mover');
  const ended = { state: 'failed', stateReason, endedAtMs: now(), updatedAtMs: now() } as const;
  await store.saveOperation({ ...planned, ...ended, counts: NO_MOVES }).catch((error: unknown) => {
    logger.error({ operationId, error }, 'operation could not be marked as failed');
  });
}

function requireRunning(wasTaken: boolean, { operationId, state }: Operation): void {
  if (!wasTaken) {
    throw new ApiError('MoverNotRunning', `no mover works on operation ${operationId}`, {
      operationId,
      state,
    });
  }
}
