/** Changes of a Backend itself: its status, and whether new users may get a home on it. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { Backend, BackendStatus } from '../workflows/domain/backend.ts';
import type { ActivityContext } from './context.ts';
import { assertAwake, isRepeat, withHeartbeat } from './heartbeat.ts';
import { readKnownBackend } from './known-backend.ts';
import { assertOwnsSite, type DecidedUnder } from './site-owner.ts';

const DOVEADM_TIMEOUT_MS = 1_500;
const HOUR_MS = 3_600_000;
const MAX_REMEMBERED_RETURNS = 12;

export interface ChangeStatusInput {
  readonly backendId: string;
  readonly status: BackendStatus;
  readonly epoch?: number | null;
}

export interface ChangeBackendActivities {
  /** Answers the status that holds now. */
  changeStatus(input: ChangeStatusInput): Promise<BackendStatus>;
  setAcceptNewUsers(
    input: { backendId: string; isAccepting: boolean } & DecidedUnder,
  ): Promise<void>;
  notePartialMove(input: { backendId: string; atMs: number }): Promise<void>;
  noteBalanced(input: { backendIds: readonly string[]; atMs: number }): Promise<void>;
  holdAutomation(input: { backendId: string; untilMs: number } & DecidedUnder): Promise<void>;
}

export function createChangeBackend(context: ActivityContext): ChangeBackendActivities {
  const { geodb, store, config } = context;
  return {
    changeStatus: (input) => withHeartbeat(() => changeStatus(context, input)),
    async setAcceptNewUsers({ backendId, isAccepting, epoch }) {
      await assertOwnsSite(context, { epoch });
      await geodb.setAcceptNewUsers(backendId, isAccepting);
    },
    notePartialMove: ({ backendId, atMs }) =>
      store.updateBackendMemory(config.site, { backendId, lastPartialMoveAtMs: atMs }),
    async noteBalanced({ backendIds, atMs }) {
      for (const backendId of backendIds) {
        await store.updateBackendMemory(config.site, { backendId, lastBalancedAtMs: atMs });
      }
    },
    async holdAutomation({ backendId, untilMs, epoch }) {
      await assertOwnsSite(context, { epoch });
      const memory = { backendId, operatorHoldUntilMs: untilMs };
      await store.updateBackendMemory(config.site, memory);
    },
  };
}

/**
 * One way for every change of status: `cluster backend update --status` through any reachable host of
 * the site (it resets force-move state); directly, conditionally, only when none answers.
 * What we set offline is remembered by its write time.
 */
async function changeStatus(
  context: ActivityContext,
  input: ChangeStatusInput,
): Promise<BackendStatus> {
  await assertOwnsSite(context, input);
  const before = await readKnownBackend(context, input.backendId);
  const isOurs = before.status !== input.status || isRepeat();
  if (before.status !== input.status) await writeStatus(context, before, input.status);
  const after = await readKnownBackend(context, input.backendId);
  if (after.status === input.status) {
    if (isOurs) await rememberChange(context, after);
    else if (after.status === 'online') await forgetOffline(context, after);
  }
  const { host, status } = after;
  context.logger.info({ backend: host, from: before.status, to: status }, 'backend status changed');
  return status;
}

async function writeStatus(
  context: ActivityContext,
  backend: Backend,
  status: BackendStatus,
): Promise<void> {
  const others = await context.geodb.readBackends(backend.siteId);
  const hosts = others.map((each) => each.host).filter((host) => host !== backend.host);
  for (const host of [...hosts.sort(), backend.host]) {
    if (!(await context.doveadm.isAnswering(host, DOVEADM_TIMEOUT_MS))) continue;
    assertAwake();
    try {
      await context.doveadm.updateStatus(host, backend.host, status);
      return;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      context.logger.warn({ via: host, code: error.code }, 'status change refused, trying another');
    }
  }
  assertAwake();
  await context.geodb.changeStatusDirectly(backend.id, backend.status, status);
}

/** Somebody else set it online. */
async function forgetOffline({ store, config }: ActivityContext, { id }: Backend): Promise<void> {
  const memory = { backendId: id, offlineWrittenAtMicros: null, offlineSinceMs: null };
  await store.updateBackendMemory(config.site, memory);
}

async function rememberChange(context: ActivityContext, backend: Backend): Promise<void> {
  const siteName = context.config.site;
  const nowMs = Date.now();
  const { id: backendId } = backend;
  if (backend.status === 'offline') {
    await context.store.updateBackendMemory(siteName, {
      backendId,
      offlineWrittenAtMicros: backend.statusWrittenAtMicros,
      offlineSinceMs: nowMs,
    });
    return;
  }
  const memories = await context.store.readBackendMemories(siteName);
  const former = memories.find((each) => each.backendId === backendId)?.returnedAtMs ?? [];
  const recent = former.filter((ms) => nowMs - ms < HOUR_MS).slice(-MAX_REMEMBERED_RETURNS);
  await context.store.updateBackendMemory(siteName, {
    backendId,
    offlineWrittenAtMicros: null,
    offlineSinceMs: null,
    returnedAtMs: [...recent, nowMs],
  });
}
