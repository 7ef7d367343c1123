/** A server with made-up answers, for looking at the UI: `node test/support/ui-mock.ts [scenario] [port]`. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import * as fixtures from './ui-fixtures.ts';

const DIST = join(import.meta.dirname, '../../ui/dist');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

interface MockState {
  readonly scenario: fixtures.Scenario;
  isPaused: boolean;
  readonly isSignedIn: boolean;
}

/** Starts it on 127.205.0.1; the caller closes it. */
export function startUiMock(
  scenario: fixtures.Scenario,
  port: number,
  options: { readonly isSignedIn?: boolean; readonly isPaused?: boolean } = {},
): Promise<Server> {
  const state: MockState = {
    scenario,
    isPaused: options.isPaused ?? false,
    isSignedIn: options.isSignedIn ?? true,
  };
  const server = createServer((request, response) => void answer(request, response, state));
  return new Promise((resolve) => {
    server.listen(port, '127.205.0.1', () => resolve(server));
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  state: MockState,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://mock');
  if (!pathname.startsWith('/api/')) {
    await sendFile(pathname, response);
    return;
  }
  if (pathname === '/api/v1/events') {
    stream(response);
    return;
  }
  if (!state.isSignedIn) {
    sendProblem(response, 401, 'Unauthenticated', 'sign in');
    return;
  }
  const body = await readBody(request);
  const found = find(request.method ?? 'GET', pathname, body, state);
  if (found === null) sendProblem(response, 404, 'NotFound', `nothing at ${pathname}`);
  else send(response, 200, found);
}

function find(method: string, path: string, body: string, state: MockState): unknown {
  const nowMs = Date.now();
  const [, , , noun, name, verb] = path.split('/').map(decodeURIComponent);
  switch (noun) {
    case 'session':
      return {
        kind: 'session',
        role: 'operator',
        name: 'operator',
        actor: 'session:operator',
        expiresAtMs: nowMs + 43_200_000,
        siteName: 'helsinki-1',
        nowMs,
      };
    case 'overview':
      return fixtures.overview(state.scenario, nowMs, state.isPaused);
    case 'automation':
      if (method === 'PUT') state.isPaused = body.includes('paused');
      return fixtures.automation(state.isPaused, nowMs);
    case 'operations':
      return operations(name, verb, nowMs);
    case 'backends':
      return backends(state.scenario, name ?? '', verb, nowMs);
    case 'decisions': {
      const all = fixtures.decisions(nowMs);
      if (name === undefined) return { decisions: all, cursor: null };
      const decision = all.find(({ decisionId }) => decisionId === name);
      return decision === undefined ? null : { decision, snapshot: null };
    }
    case 'features':
      return fixtures.features();
    case 'tasks':
      return {
        siteName: 'helsinki-1',
        isTemporalAnswering: true,
        tasks: fixtures.tasks(nowMs),
      };
    case 'reachability':
      return fixtures.reachability(nowMs);
    case 'sites':
      return {
        sites: [
          fixtures.site('helsinki-1', true, 12),
          fixtures.site('tampere-1', false, 10),
          fixtures.site('frankfurt-1', false, 8),
        ],
      };
    case 'users':
      return fixtures.user(name ?? '', nowMs);
    default:
      return null;
  }
}

function operations(name: string | undefined, verb: string | undefined, nowMs: number): unknown {
  const all = fixtures.operations(nowMs);
  if (name === undefined) return { operations: all, cursor: null };
  if (verb === 'moves') {
    const moves = [1, 2, 3, 4].flatMap((n) => {
      const [move] = fixtures.user(`u-11820${n}@example.org`, nowMs)?.moves ?? [];
      return move === undefined ? [] : [{ ...move, state: 'failed', reason: 'RetriesExhausted' }];
    });
    return { moves, cursor: null };
  }
  return all.find(({ operationId }) => operationId === name) ?? null;
}

function backends(
  scenario: fixtures.Scenario,
  name: string,
  verb: string | undefined,
  nowMs: number,
): unknown {
  const detail = fixtures.backendDetail(scenario, name, nowMs);
  if (verb === 'users') {
    const users = Array.from({ length: 25 }, (_, n) => ({
      username: `u-${118_200 + n}@example.org`,
      alternativeHost: 'mail11',
      isMoving: n === 3,
      lastMovedMs: nowMs - 86_400_000 * (n + 1),
    }));
    return { host: name, users, cursor: 'next' };
  }
  if (verb === 'evacuate') {
    const targets = fixtures
      .backends(scenario, nowMs)
      .filter((each) => each.verdict === 'healthy' && each.host !== name)
      .map((each) => ({
        backendId: each.id,
        host: each.host,
        users: 13_544,
        usersBefore: each.users,
      }));
    return {
      planToken: 'plan',
      host: name,
      plannedAtMs: nowMs,
      users: 121_904,
      usersPerRound: 24_381,
      targets,
      refused: [
        { backendId: 'x', host: 'mail07', reason: 'BeingEmptied' },
        { backendId: 'y', host: 'mail12', reason: 'Standby' },
      ],
      inTheWay: null,
    };
  }
  return detail;
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const beat = () =>
    response.write(
      `event: heartbeat\ndata: ${JSON.stringify({ atMs: Date.now(), isLive: true })}\n\n`,
    );
  beat();
  const timer = setInterval(beat, 5000);
  response.on('close', () => clearInterval(timer));
}

async function sendFile(pathname: string, response: ServerResponse): Promise<void> {
  const path = normalize(extname(pathname) === '' ? '/index.html' : pathname);
  try {
    const bytes = await readFile(join(DIST, path));
    response.writeHead(200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    });
    response.end(bytes);
  } catch {
    response.writeHead(404);
    response.end('no such file; run npm run build');
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  send(response, status, {
    type: 'about:blank',
    title: code,
    status,
    code,
    message,
    requestId: 'req-mock',
  });
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

if (process.argv[1] === import.meta.filename) {
  const [, , scenario = 'busy', port = '8080'] = process.argv;
  await startUiMock(scenario as fixtures.Scenario, Number(port));
  console.log(`http://127.205.0.1:${port}/ shows ${scenario}`);
}
