/**
 * doveadm over HTTP as a Backend of a cluster offers it: the `cluster` commands are answered here,
 * everything else by the real doveadm beside us. One answer is always well-formed JSON, whatever
 * the real one sends, unless an oddity is switched on.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import { describeError } from '../../../platform/describe-error.ts';
import { isAuthorized } from './api-key.ts';
import type { BackendContext } from './backend-context.ts';
import { answerOddly, isHiddenParameter, readOddities, type ActiveOddities } from './oddities.ts';
import { CLUSTER_COMMANDS } from './cluster-commands.ts';
import {
  CommandError,
  EXIT_TEMPORARY,
  InvalidRequestError,
  readParameters,
  type ClusterCommand,
} from './cluster-command.ts';
import { BadRequestError, parseDoveadmRequest, type DoveadmCommand } from './doveadm-request.ts';
import { kickUser } from './end-sessions.ts';
import type { Settings } from './settings.ts';

const PATH = '/doveadm/v1';
const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const MAX_BODY_BYTES = 16 * 1024 * 1024;

type Element = readonly unknown[];

export interface DoveadmServerParts {
  readonly settings: Settings;
  readonly context: BackendContext;
  /** Settles when what was left behind is put right: no user is moved before. */
  readonly recovered: () => Promise<void>;
}

/** Listens until closed; rejects where the port cannot be had. */
export async function listenDoveadm(parts: DoveadmServerParts): Promise<Server> {
  const { settings } = parts;
  const server = createServer((request, response) => {
    handle(request, response, parts).catch((error: unknown) => {
      parts.context.log.info('doveadm request broke off', { error: describeError(error) });
      request.socket.destroy();
    });
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: settings.address, port: settings.doveadm.port }, resolve);
  });
  return server;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  parts: DoveadmServerParts,
) {
  if (await isCut(parts.settings.faultFile)) return void request.socket.destroy();
  if (request.method === 'OPTIONS') return send(response, 200, '');
  if (!isAuthorized(request, parts.settings.doveadm.apiKey)) {
    response.setHeader('WWW-Authenticate', ['X-Dovecot-API', 'Basic Realm="doveadm"']);
    return send(response, 401, '');
  }
  const route = `${request.method} ${request.url}`;
  if (route === 'GET /') return send(response, 200, ROUTES, JSON_TYPE);
  const oddities = await readOddities(parts.settings.oddityFile);
  if (route === `GET ${PATH}`) return sendCommandList(request, response, oddities, parts);
  if (route !== `POST ${PATH}`) return send(response, 404, 'Path Not Found\r\n');
  const body = await readBody(request);
  try {
    const commands = parseDoveadmRequest(body);
    await runAll(commands, response, oddities, parts);
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error;
    send(response, 400, `${error.message}\r\n`);
  }
}

const ROUTES = JSON.stringify([
  { method: 'GET', path: '/' },
  { method: 'GET', path: PATH },
  { method: 'POST', path: PATH },
]);

/** The lab's fault `cut`: mail flows, but nobody reaches this doveadm. */
async function isCut(faultFile: string | null): Promise<boolean> {
  const faults = faultFile === null ? '' : await readFile(faultFile, 'utf8').catch(() => '');
  return /^cut\b/m.test(faults);
}

/** The real list and ours; 503 where the Dovecot beside us does not answer. */
async function sendCommandList(
  request: IncomingMessage,
  response: ServerResponse,
  oddities: ActiveOddities,
  { context }: DoveadmServerParts,
) {
  const real = await context.doveadm.readCommands().catch(() => null);
  if (real?.status !== 200) return send(response, 503, 'Dovecot does not answer\r\n');
  const own = [...CLUSTER_COMMANDS.values()].map(({ name, parameters }) => ({
    command: name,
    parameters: Object.entries(parameters)
      .filter(([parameter]) => !isHiddenParameter(name, parameter, oddities))
      .map(([parameter, type]) => ({ name: parameter, type })),
  }));
  const isPlain = oddities.has('hide-cluster-commands');
  const list = [...(JSON.parse(real.body) as unknown[]), ...(isPlain ? [] : own)];
  const text = JSON.stringify(list);
  if (answerOddly({ request, response, text, oddities, command: 'GET' })) return;
  send(response, 200, text, JSON_TYPE);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BadRequestError('Request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** One after the other, in order; whoever hangs up gets no further command run. */
async function runAll(
  commands: readonly DoveadmCommand[],
  response: ServerResponse,
  oddities: ActiveOddities,
  parts: DoveadmServerParts,
) {
  const hangUp = new AbortController();
  response.once('close', () => hangUp.abort());
  const elements: Element[] = [];
  for (const command of commands) {
    if (hangUp.signal.aborted) return;
    elements.push(await runOne(command, oddities, hangUp.signal, parts));
  }
  const text = JSON.stringify(elements);
  const command = commands[0]?.name ?? '';
  const { req: request } = response;
  if (answerOddly({ request, response, text, oddities, command })) return;
  send(response, 200, text, JSON_TYPE);
}

async function runOne(
  { name, parameters, tag }: DoveadmCommand,
  oddities: ActiveOddities,
  signal: AbortSignal,
  parts: DoveadmServerParts,
): Promise<Element> {
  if (oddities.has('no-effect', name)) return ['doveadmResponse', [], tag];
  if (oddities.has('error-in-band', name)) return failure('exitCode', EXIT_TEMPORARY, tag);
  const own = oddities.has('hide-cluster-commands') ? undefined : CLUSTER_COMMANDS.get(name);
  if (own === undefined) return passThrough(name, parameters, tag, parts);
  try {
    const hidden = Object.keys(parameters).find((one) => isHiddenParameter(name, one, oddities));
    if (hidden !== undefined) throw new InvalidRequestError(`no parameter ${hidden}`);
    const checked = readParameters(own, parameters);
    if (own.name === 'clusterUserBatchMove') await parts.recovered();
    return ['doveadmResponse', await own.run(checked, parts.context, signal), tag];
  } catch (error) {
    return describeFailure(own, error, tag, parts.context);
  }
}

function describeFailure(
  { name }: ClusterCommand,
  error: unknown,
  tag: string,
  { log }: BackendContext,
): Element {
  log.warn('command failed', { command: name, error: describeError(error) });
  if (error instanceof InvalidRequestError) return failure('invalidRequest', 0, tag);
  if (error instanceof CommandError) return failure('exitCode', error.exitCode, tag);
  return failure('exitCode', EXIT_TEMPORARY, tag);
}

const failure = (type: string, exitCode: number, tag: string): Element => [
  'error',
  { type, exitCode },
  tag,
];

async function passThrough(
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  tag: string,
  { context }: DoveadmServerParts,
): Promise<Element> {
  try {
    const kicked = name === 'kick' ? userOf(parameters) : null;
    if (kicked !== null) {
      // Perhaps he lives elsewhere since a moment ago: his next logins here are looked at closely.
      context.sweeper.watch(kicked);
      // doveadm itself would end whole processes. Of nobody it says so.
      if (await kickUser(kicked, context)) return ['doveadmResponse', [{ result: kicked }], tag];
    }
    const reply = await context.doveadm.run(name, parameters);
    return reply.kind === 'rows'
      ? ['doveadmResponse', reply.rows, tag]
      : failure(reply.type, reply.exitCode, tag);
  } catch (error) {
    context.log.warn('doveadm beside us failed', { command: name, error: describeError(error) });
    return failure('exitCode', EXIT_TEMPORARY, tag);
  }
}

/** null: not one user by name, but several, or wildcards, or an address. */
function userOf({ mask }: Readonly<Record<string, unknown>>): string | null {
  const [name, ...others] = [mask].flat();
  const isName = typeof name === 'string' && others.length === 0 && !/[*?/]|^[\d.:]*$/.test(name);
  return isName ? name : null;
}

/** Dovecot closes the connection after each answer. */
function send(response: ServerResponse, status: number, body: string, type = TEXT_TYPE) {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  response.end(body);
}
