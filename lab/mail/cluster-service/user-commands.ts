/** `cluster user ...` and `cluster kick`. */
import { readOwnBackend, type BackendContext } from './backend-context.ts';
import { findBackend } from './backend-commands.ts';
import {
  CommandError,
  EXIT_NO_USER,
  type ClusterCommand,
  type Parameters,
} from './cluster-command.ts';
import { kickUser } from './end-sessions.ts';
import { moveUsers } from './move-users.ts';

const DEFAULT_PARALLEL = 20;
const DEFAULT_MAX_USERS = 1000;

export const userCommands: readonly ClusterCommand[] = [
  {
    name: 'clusterUserBatchMove',
    parameters: {
      user: 'array',
      destHost: 'string',
      maxUsers: 'integer',
      minLastMoved: 'integer',
      moveTimestamp: 'integer',
      maxParallel: 'integer',
    },
    required: ['destHost'],
    run: batchMove,
  },
  {
    name: 'clusterUserStatus',
    parameters: { user: 'string' },
    required: ['user'],
    async run({ user }, context) {
      const home = await readHome(String(user), context);
      const hostOf = (id: string | null) =>
        id === null ? null : context.map.backendById(id)?.host;
      return [
        {
          user: home.username,
          backend: hostOf(home.backendId) ?? home.backendId,
          altBackend: hostOf(home.altBackendId) ?? null,
          moving: home.moving,
          lastMoved: home.lastMovedMs === null ? null : new Date(home.lastMovedMs).toISOString(),
        },
      ];
    },
  },
  {
    name: 'clusterUserAccess',
    parameters: { user: 'string' },
    required: ['user'],
    async run({ user }, context) {
      const home = await readHome(String(user), context);
      const host = context.map.backendById(home.backendId)?.host ?? home.backendId;
      return [{ user: home.username, host }];
    },
  },
  {
    name: 'clusterKick',
    parameters: { user: 'string' },
    required: ['user'],
    async run({ user }, context) {
      context.sweeper.watch(String(user));
      await kickUser(String(user), context);
      return [];
    },
  },
];

async function readHome(username: string, { geodb }: BackendContext) {
  const home = await geodb.readHome(username);
  if (home === null) throw new CommandError(EXIT_NO_USER, 'unknown user');
  return home;
}

/** Rows of user, result and error; without a user list it takes the first of its own users. */
async function batchMove(parameters: Parameters, context: BackendContext, signal: AbortSignal) {
  const target = await findBackend(String(parameters['destHost']), context);
  const named = parameters['user'] as string[] | undefined;
  const limit = numberOf(parameters['maxUsers']);
  const timestampMicros = numberOf(parameters['moveTimestamp']);
  const users =
    named === undefined
      ? ownUsers(limit ?? DEFAULT_MAX_USERS, context)
      : [...new Set(named)].slice(0, limit ?? undefined);
  const results = await moveUsers(
    users,
    {
      target,
      minLastMovedSecs: numberOf(parameters['minLastMoved']),
      timestampMicros,
      moveId: `batch-${(timestampMicros ?? Date.now() * 1000).toString(36)}`,
      maxParallel: numberOf(parameters['maxParallel']) ?? DEFAULT_PARALLEL,
      signal,
    },
    context,
  );
  return results.map(({ user, result, error }) => ({
    user,
    result,
    ...(error === null ? {} : { error }),
  }));
}

async function* ownUsers(limit: number, context: BackendContext) {
  let count = 0;
  for await (const { username } of context.geodb.readHomesOf(readOwnBackend(context).id)) {
    if (count++ >= limit) return;
    yield username;
  }
}

const numberOf = (value: unknown) => (typeof value === 'number' ? value : null);
