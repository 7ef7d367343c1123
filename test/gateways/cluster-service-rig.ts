/** A cluster service of each role on addresses of its own, before the real Cassandra. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { authorizationOf } from '../../lab/mail/cluster-service/api-key.ts';
import { startBackendRole } from '../../lab/mail/cluster-service/backend-role.ts';
import { createDoveadmClient } from '../../lab/mail/cluster-service/doveadm-client.ts';
import type { HomeChange } from '../../lab/mail/cluster-service/home-change-log.ts';
import type { Log } from '../../lab/mail/cluster-service/log.ts';
import type { MoveNews } from '../../lab/mail/cluster-service/move-news.ts';
import { startProxyRole } from '../../lab/mail/cluster-service/proxy-role.ts';
import { readSettings } from '../../lab/mail/cluster-service/settings.ts';
import { testNet } from '../support/test-net.ts';

const API_KEY = 'labapikey';
const DOVECOT_PORT = 8090;
const DOVEADM_PORT = 24280;
const HTTP_PORT = 7070;

const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The last two numbers of the addresses 127.<net>.9.* that one rig may use. */
export const backendAddress = () => `127.${testNet()}.9.61`;
export const proxyAddress = () => `127.${testNet()}.9.62`;
export const geodbAddress = () => `127.${testNet()}.9.63`;
/** A proxy that is played: it cuts sessions of the fake Dovecot, and hears whom the Backend sends away. */
const cuttingAddress = () => `127.${testNet()}.9.64`;

export interface FakeDovecot {
  /** Its base_dir, with the socket of its anvil. */
  readonly baseDir: string;
  /** Users with sessions; a cut at the proxy or a kick ends them, unless the user is in `stubborn`. */
  readonly sessions: Set<string>;
  readonly stubborn: Set<string>;
  readonly kicked: string[];
  /** What the Backend told the proxy before it, in order. */
  readonly news: MoveNews[];
  close(): Promise<void>;
}

/** Its anvil lists sessions; it answers who, kick and, as the proxy before it, proxyKick as the real doveadm does. */
export async function startFakeDovecot(): Promise<FakeDovecot> {
  const sessions = new Set<string>();
  const stubborn = new Set<string>();
  const kicked: string[] = [];
  const news: MoveNews[] = [];
  const run = (command: string, { mask, user: homes }: { mask?: string[]; user?: string[] }) => {
    if (command === 'who') return [...sessions].map((username) => ({ username, service: 'imap' }));
    const users = mask ?? (homes ?? []).map((home) => home.replace(/ mail1$/, ''));
    for (const user of users) {
      kicked.push(user);
      if (!stubborn.has(user)) sessions.delete(user);
    }
    return [{ result: users[0] }];
  };
  const listen = async (
    address: string,
    port: number,
    answer: RequestListener,
  ): Promise<Server> => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    return server;
  };
  const answerDoveadm: RequestListener = (request, response) => {
    void text(request).then((body) => {
      if (request.method === 'GET') return void response.end('[{"command":"who","parameters":[]}]');
      const [[command, parameters, tag]] = JSON.parse(body) as [[string, object, string]];
      response.end(JSON.stringify([['doveadmResponse', run(command, parameters), tag]]));
    });
  };
  const hearNews: RequestListener = (request, response) => {
    void text(request).then((body) => {
      news.push(...(JSON.parse(body) as MoveNews[]));
      response.writeHead(204).end();
    });
  };
  const baseDir = await mkdtemp(join(tmpdir(), 'dovecot-'));
  const anvil = createSocketServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      const lines = [...sessions].map((username) => `imap/127.0.0.1/${username}\t77\t1\n`);
      socket.write(`${lines.join('')}\n`);
    });
  });
  await new Promise<void>((resolve) => anvil.listen(join(baseDir, 'anvil'), resolve));
  const servers = await Promise.all([
    listen(backendAddress(), DOVECOT_PORT, answerDoveadm),
    listen(cuttingAddress(), DOVEADM_PORT, answerDoveadm),
    listen(cuttingAddress(), HTTP_PORT, hearNews),
  ]);
  const close = async () => {
    for (const server of [...servers, anvil]) server.close();
    await rm(baseDir, { recursive: true });
  };
  return { baseDir, sessions, stubborn, kicked, news, close };
}

export interface ServiceRig {
  readonly doveadm: ReturnType<typeof createDoveadmClient>;
  /** The raw answer to a body; for requests that no client would make. */
  post(body: string): Promise<{ status: number; text: string }>;
  /** `text`: host and address; `askedAtMs`: when the GeoDB was asked for it, 0 where it was not. */
  lookUp(username: string): Promise<{ status: number; text: string; askedAtMs: number }>;
  /**
   * As the Backend asks at a login: 204 where it is to be served here.
   * @param askedAtMs when the proxy asked the GeoDB; 0: it does not say
   */
  askWhere(username: string, askedAtMs?: number): Promise<{ status: number; text: string }>;
  /** Posts news of moves to a proxy; the status of the answer. */
  tell(news: unknown, apiKey?: string): Promise<number>;
  /** The value of a metric; 0: never counted. */
  readMetric(name: string): Promise<number>;
  homeChanges(): Promise<HomeChange[]>;
  stop(): Promise<void>;
}

/** What a proxy remembers outlives it. */
export const memoryFileOf = (keyspace: string) => join(tmpdir(), `memory-${keyspace}.json`);

/** Starts a role; stops it again with the answer. */
export async function startService(
  role: 'backend' | 'proxy',
  {
    keyspace,
    cassandra,
    dovecot,
  }: {
    readonly keyspace: string;
    readonly cassandra: string;
    readonly dovecot: Pick<FakeDovecot, 'baseDir'>;
  },
): Promise<ServiceRig> {
  const folder = await mkdtemp(join(tmpdir(), 'cluster-service-'));
  const homeChangeLog = join(folder, 'home-changes.ndjson');
  const address = role === 'backend' ? backendAddress() : proxyAddress();
  const settings = readSettings({
    CLUSTER_ROLE: role,
    CLUSTER_HOST: role === 'backend' ? 'mail1' : 'proxy1',
    CLUSTER_SITE: 'north',
    CLUSTER_ADDRESS: address,
    HOST_ADDRESSES: `mail1=${backendAddress()},mail2=127.0.0.2,mail3=127.0.0.3,proxy2=127.0.0.9`,
    PROXY_ADDRESSES: cuttingAddress(),
    CASSANDRA_SERVERS: cassandra,
    CASSANDRA_GEODB_KEYSPACE: keyspace,
    HTTP_LISTEN: `${address}:${HTTP_PORT}`,
    DOVEADM_PORT: String(DOVEADM_PORT),
    PROXY_HTTP_PORT: String(HTTP_PORT),
    BACKEND_HTTP_PORT: String(HTTP_PORT),
    DOVEADM_UPSTREAM: `${backendAddress()}:${DOVECOT_PORT}`,
    DOVEADM_API_KEY: API_KEY,
    DOVECOT_BASE_DIR: dovecot.baseDir,
    HOME_CHANGE_LOG: homeChangeLog,
    MEMORY_FILE: memoryFileOf(keyspace),
    USER_PATTERN: '^u[0-9]+$',
  });
  const start = role === 'backend' ? startBackendRole : startProxyRole;
  const stop = await start(settings, silentLog);
  const ask = async (url: string, init?: RequestInit) => {
    const answer = await fetch(url, init);
    return { status: answer.status, text: await answer.text() };
  };
  return {
    doveadm: createDoveadmClient({ address, port: DOVEADM_PORT }, API_KEY),
    post: (body) =>
      ask(`http://${address}:${DOVEADM_PORT}/doveadm/v1`, {
        method: 'POST',
        headers: { Authorization: authorizationOf(API_KEY) },
        body,
      }),
    async lookUp(username) {
      const url = `http://${address}:${HTTP_PORT}/lookup?u=${username}&service=imap`;
      const { status, text } = await ask(url);
      const [host, target, asked] = text.split(' ');
      const askedAtMs = status === 200 ? Number(asked) : 0;
      return { status, text: status === 200 ? `${host} ${target}` : text, askedAtMs };
    },
    askWhere: (username, askedAtMs = 0) =>
      ask(`http://${address}:${HTTP_PORT}/where?u=${username}&service=imap&asked=${askedAtMs}`),
    async tell(news, withKey = API_KEY) {
      const { status } = await ask(`http://${address}:${HTTP_PORT}/moves`, {
        method: 'POST',
        headers: { Authorization: authorizationOf(withKey) },
        body: JSON.stringify(news),
      });
      return status;
    },
    async readMetric(name) {
      const { text: metrics } = await ask(`http://${address}:${HTTP_PORT}/metrics`);
      return Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics)?.[1] ?? 0);
    },
    async homeChanges() {
      const text = await readFile(homeChangeLog, 'utf8').catch(() => '');
      const lines = text.split('\n').filter(Boolean);
      return lines.map((line) => JSON.parse(line) as HomeChange);
    },
    async stop() {
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}
