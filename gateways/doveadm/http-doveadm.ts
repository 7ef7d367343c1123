/** doveadm over HTTP: one command a request, because CE garbles answers to several. */
import { isIP } from 'node:net';
import { lookup } from 'node:dns/promises';
import type { DoveadmConfig } from '../../platform/config.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { createMeasured } from '../measured.ts';
import { CommandError, readCommandList, readRows, toDoveadmError } from './answers.ts';
import type { CommandListEntry, ResultRow } from './answers.ts';
import type { BatchMoveRequest, Doveadm, DoveadmCommands } from './doveadm.ts';
import { DoveadmSilence, exchange } from './http.ts';
import type { DoveadmAnswer } from './http.ts';
import { DOVEADM_NAMES, EXIT_CODES } from './names.ts';

const QUICK_TIMEOUT_MS = 5000;
/** Commands of a host change with its version, that is with a restart. */
const COMMANDS_KNOWN_FOR_MS = 60_000;
const MOST_USERS_A_COMMAND = 200;
const TAG = 't1';

export interface DoveadmOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

type Parameters = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Everything that the methods share: addresses, the known commands, the way to call. */
class DoveadmHosts {
  readonly #config: DoveadmConfig;
  readonly #metrics: Metrics;
  readonly #known = new Map<string, { readonly atMs: number; readonly list: CommandListEntry[] }>();

  constructor(config: DoveadmConfig, metrics: Metrics) {
    this.#config = config;
    this.#metrics = metrics;
  }

  /** Runs one command. A connection that closes without an answer is tried once more. */
  run(
    operation: string,
    host: string,
    [command, parameters]: readonly [string, Parameters],
    options: DoveadmOptions,
  ): Promise<ResultRow[]> {
    const body = JSON.stringify([[command, parameters, TAG]]);
    return this.#call(operation, host, options, async (signal) => {
      const answer = await this.#exchangeTwice(host, body, signal);
      return readRows(answer, TAG, { operation, host });
    });
  }

  async readCommandList(
    host: string,
    { timeoutMs, maxAgeMs }: { timeoutMs: number; maxAgeMs: number },
  ): Promise<readonly CommandListEntry[]> {
    const known = this.#known.get(host);
    if (known !== undefined && Date.now() - known.atMs <= maxAgeMs) return known.list;
    const operation = 'readCommands';
    const list = await this.#call(operation, host, { timeoutMs }, async (signal) =>
      readCommandList(await this.#exchange(host, null, signal), { operation, host }),
    );
    this.#known.set(host, { atMs: Date.now(), list });
    return list;
  }

  /** As sessions show it: the address of a name. */
  async addressOf(host: string): Promise<string> {
    const known = this.#config.hostAddresses[host];
    if (known !== undefined || isIP(host) !== 0) return known ?? host;
    return this.#call('resolve', host, { timeoutMs: QUICK_TIMEOUT_MS }, async () => {
      try {
        return (await lookup(host)).address;
      } catch (error) {
        throw new DoveadmSilence('noAddress', error);
      }
    });
  }

  async #exchangeTwice(host: string, body: string, signal: AbortSignal): Promise<DoveadmAnswer> {
    try {
      return await this.#exchange(host, body, signal);
    } catch (error) {
      if (!(error instanceof DoveadmSilence) || error.kind !== 'noAnswer') throw error;
      return this.#exchange(host, body, signal);
    }
  }

  #exchange(host: string, body: string | null, signal: AbortSignal): Promise<DoveadmAnswer> {
    return exchange({
      method: body === null ? 'GET' : 'POST',
      address: this.#config.hostAddresses[host] ?? host,
      port: this.#config.port,
      path: DOVEADM_NAMES.path,
      apiKey: this.#config.apiKey ?? '',
      body,
      signal,
    });
  }

  /** The time limit is ours; a cancellation by the caller passes through as it is. */
  #call<T>(
    operation: string,
    host: string,
    { timeoutMs, signal }: DoveadmOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = AbortSignal.timeout(timeoutMs);
    const measured = createMeasured('doveadm', this.#metrics, (error) =>
      signal?.aborted === true && error === signal.reason
        ? (error as Error)
        : toDoveadmError(error, { operation, host }),
    );
    const either = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    return measured(operation, () => work(either));
  }
}

export function createDoveadm(config: DoveadmConfig, metrics: Metrics): Doveadm {
  const hosts = new DoveadmHosts(config, metrics);
  const quick: DoveadmOptions = { timeoutMs: QUICK_TIMEOUT_MS };
  const { backendUpdate, who } = DOVEADM_NAMES;
  return {
    readCommands: async (host, options) => toCommands(await hosts.readCommandList(host, options)),
    findSilence: (host, timeoutMs) => findSilence(hosts, host, timeoutMs),
    isAnswering: async (host, timeoutMs) => (await findSilence(hosts, host, timeoutMs)) === null,
    batchMove: (request) => batchMove(hosts, request),
    updateStatus: async (viaHost, host, status) => {
      const parameters = { [backendUpdate.host]: host, [backendUpdate.status]: status };
      await hosts.run('updateStatus', viaHost, [backendUpdate.command, parameters], quick);
    },
    who: async (host) => {
      const command = [who.command, { [who.separateConnections]: true }] as const;
      const rows = await hosts.run('who', host, command, quick);
      return usernamesIn(rows, who.username);
    },
    ...kickMethods(hosts, quick),
  };
}

/** The list of commands is asked for: it needs the right key, and changes nothing. */
async function findSilence(
  hosts: DoveadmHosts,
  host: string,
  timeoutMs: number,
): Promise<GatewayError['code'] | null> {
  try {
    await hosts.readCommandList(host, { timeoutMs, maxAgeMs: -1 });
    return null;
  } catch (error) {
    return error instanceof GatewayError ? error.code : 'BadAnswer';
  }
}

type KickMethods = Pick<Doveadm, 'kick' | 'proxyKick' | 'listProxySessions'>;

function kickMethods(hosts: DoveadmHosts, quick: DoveadmOptions): KickMethods {
  const { kick, proxyKick, proxyList } = DOVEADM_NAMES;
  return {
    kick: (host, username) =>
      unlessNobody(hosts.run('kick', host, [kick.command, { [kick.users]: [username] }], quick)),
    proxyKick: (proxyHost, username) => {
      const command = [proxyKick.command, { [proxyKick.users]: [username] }] as const;
      return unlessNobody(hosts.run('proxyKick', proxyHost, command, quick));
    },
    listProxySessions: async (proxyHost, backendHost) => {
      const address = await hosts.addressOf(backendHost);
      const rows = await hosts.run('proxyList', proxyHost, [proxyList.command, {}], quick);
      const toBackend = rows.filter((row) => row[proxyList.targetAddress] === address);
      return usernamesIn(toBackend, proxyList.username);
    },
  };
}

/** Nobody to kick is what we wanted. */
async function unlessNobody(kicked: Promise<unknown>): Promise<void> {
  try {
    await kicked;
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === EXIT_CODES.notFound) return;
    throw error;
  }
}

function usernamesIn(rows: readonly ResultRow[], field: string): Set<string> {
  const names = rows.map((row) => row[field]).filter((name) => typeof name === 'string');
  return new Set(names.filter((name) => name !== ''));
}

function toCommands(list: readonly CommandListEntry[]): DoveadmCommands {
  const { command, users, moveTimestamp } = DOVEADM_NAMES.batchMove;
  const move = list.find((entry) => entry.command === command);
  const has = (name: string): boolean => move?.parameters.some((one) => one.name === name) ?? false;
  return {
    hasClusterCommands: move !== undefined,
    hasUserList:
      move?.parameters.some((one) => one.name === users && one.type === 'array') ?? false,
    hasMoveTimestamp: has(moveTimestamp),
  };
}

/** Up to 200 users a command, one command after the other. */
async function batchMove(hosts: DoveadmHosts, request: BatchMoveRequest): Promise<void> {
  const { sourceHost: host, usernames, timeoutMs, signal } = request;
  const deadlineMs = Date.now() + timeoutMs;
  const list = await hosts.readCommandList(host, {
    timeoutMs: Math.min(timeoutMs, QUICK_TIMEOUT_MS),
    maxAgeMs: COMMANDS_KNOWN_FOR_MS,
  });
  const known = knownParameters(list, host);
  for (let at = 0; at < usernames.length; at += MOST_USERS_A_COMMAND) {
    const users = usernames.slice(at, at + MOST_USERS_A_COMMAND);
    const parameters = toBatchMoveParameters({ ...request, usernames: users }, known);
    const command = [DOVEADM_NAMES.batchMove.command, parameters] as const;
    const remainingMs = Math.max(1, deadlineMs - Date.now());
    await hosts.run('batchMove', host, command, { timeoutMs: remainingMs, signal });
  }
}

function knownParameters(
  list: readonly CommandListEntry[],
  host: string,
): ReadonlyMap<string, string> {
  const { command } = DOVEADM_NAMES.batchMove;
  const entry = list.find((one) => one.command === command);
  if (entry !== undefined) return new Map(entry.parameters.map(({ name, type }) => [name, type]));
  throw new GatewayError(`doveadm of ${host} does not know ${command}`, {
    system: 'doveadm',
    operation: 'batchMove',
    subject: host,
    code: 'UnknownCommand',
    isTemporary: false,
  });
}

/** Only what the host knows: an unknown parameter would refuse the whole command. */
function toBatchMoveParameters(
  request: BatchMoveRequest,
  known: ReadonlyMap<string, string>,
): Parameters {
  const names = DOVEADM_NAMES.batchMove;
  const hasUserList = known.get(names.users) === 'array';
  const wanted: [string, string | number | readonly string[] | null][] = [
    [names.target, request.targetHost],
    hasUserList ? [names.users, request.usernames] : [names.maxUsers, request.usernames.length],
    [names.minLastMoved, request.minLastMovedSecs],
    [names.moveTimestamp, request.moveTimestampMicros],
    [names.maxParallel, request.maxParallel],
  ];
  return Object.fromEntries(
    wanted.filter((entry): entry is [string, string | number | string[]] => {
      const [name, value] = entry;
      return value !== null && known.has(name);
    }),
  );
}
