/**
 * The traffic of a lab: open-loop logins and deliveries, and clients that stay. Settings: LAB_NET,
 * LAB_STATE, LAB_IDLE_SESSIONS (60). GET /stats, POST /mark, POST /rate?factor=2 on its own port.
 */
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outliveDriverSlips } from '../../platform/driver-slips.ts';
import { USER_PASSWORD } from './dovecot-config.mjs';
import { hostFolderOf, hostsOf, PORTS } from './hosts.mjs';
import { readLabSettings, type LabSettings } from './lab-settings.ts';
import { connectGeodb } from './seed-geodb.ts';
import { deliveryLogOf } from './traffic/delivery-log.ts';
import { createDeliveryQueue } from './traffic/delivery-queue.ts';
import { startIdleSessions } from './traffic/idle-sessions.ts';
import { runImapSession, runPop3Session } from './traffic/login-clients.ts';
import { startOpenLoop, type AttemptKind } from './traffic/open-loop.ts';
import { openRotatingLog } from './traffic/rotating-log.ts';
import { createTrafficStats } from './traffic/traffic-stats.ts';
import { followUserHomes, type UserHomes } from './traffic/user-homes.ts';

const LOG_MAX_BYTES = 64 * 1024 * 1024;
const READ_LOAD_EVERY_MS = 2000;
const DEFAULT_IDLE_SESSIONS = 60;

async function main(): Promise<void> {
  outliveDriverSlips(console);
  const settings = readLabSettings(process.env);
  const { geodb, net, stateDir } = settings;
  const client = connectGeodb(geodb);
  const homes = await followUserHomes(client, geodb.keyspace);
  const stats = createTrafficStats();
  const log = openRotatingLog(deliveryLogOf(stateDir), LOG_MAX_BYTES);
  const nextProxy = createProxyChooser(net);
  const homeOf = createHomeFinder(homes);
  const queue = createDeliveryQueue({
    log,
    nextProxy: (user) => ({ ...nextProxy(user), port: PORTS.lmtp }),
    onAttempt: ({ user, outcome }) => stats.addDelivery(homeOf(user), outcome),
  });
  const idle = startIdleSessions({
    users: chooseIdleUsers(
      homes,
      Number(process.env['LAB_IDLE_SESSIONS'] ?? DEFAULT_IDLE_SESSIONS),
    ),
    password: USER_PASSWORD,
    nextProxy: (user) => ({ ...nextProxy(user), port: PORTS.imap }),
    onGap: (gapMs) => stats.addGap(gapMs),
  });
  const start = (kind: AttemptKind, user: string, host: string) => {
    if (kind === 'delivery') return queue.deliver(user);
    const run = kind === 'imap' ? runImapSession : runPop3Session;
    const server = { ...nextProxy(user), port: PORTS[kind] };
    void run(server, user, USER_PASSWORD).then((report) => stats.addSession(host, report));
  };
  const rate = { factor: 1 };
  const heavy = followLoadFaults(settings, homes);
  const loop = { homes, start, factor: () => rate.factor, heavyUsers: heavy.current };
  const stopLoop = startOpenLoop(loop);
  const describe = () => ({
    ...stats.summarize(),
    factor: rate.factor,
    attemptsPerSecond: stats.rates(),
    idleSessions: idle.connected,
    deliveriesWaiting: queue.waiting,
  });
  const server = listenControl(settings, { describe, mark: stats.mark, rate });
  const stop = async () => {
    stopLoop();
    for (const part of [idle, queue, heavy, homes]) part.stop();
    server.close();
    server.closeAllConnections();
    await Promise.all([log.close(), client.shutdown()]);
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}

/** Round-robin over the proxies of the user's own site. */
function createProxyChooser(net: number) {
  const proxies = hostsOf(net).filter(({ role }) => role === 'proxy');
  let turn = 0;
  return (user: string) => {
    const ofSite = proxies.filter(({ site }) => user.includes(`@${site}.`));
    const choices = ofSite.length > 0 ? ofSite : proxies;
    const { address } = choices[turn++ % choices.length] as (typeof proxies)[number];
    return { address };
  };
}

/** The Backend of a user as known now; deliveries wait, and users move meanwhile. */
function createHomeFinder(homes: UserHomes) {
  let known: ReturnType<UserHomes['current']> | null = null;
  let hosts = new Map<string, string>();
  return (user: string) => {
    if (known !== homes.current()) {
      known = homes.current();
      const pairs = [...known].flatMap(([host, users]) =>
        users.map((name): [string, string] => [name, host]),
      );
      hosts = new Map(pairs);
    }
    return hosts.get(user) ?? 'unknown';
  };
}

/** The same number from each Backend. */
function chooseIdleUsers(homes: UserHomes, count: number): string[] {
  const lists = [...homes.current().values()].map((users) => users.toSorted());
  const chosen: string[] = [];
  for (let index = 0; chosen.length < count && lists.some((users) => index < users.length);) {
    for (const users of lists) {
      const user = users[index];
      if (user !== undefined && chosen.length < count) chosen.push(user);
    }
    index += 1;
  }
  return chosen;
}

/** The fault `load`: whoever lives on the Backend when it is noticed stays busy, also elsewhere. */
function followLoadFaults({ net, stateDir }: LabSettings, homes: UserHomes) {
  const heavy = new Map<string, { factor: number; users: readonly string[] }>();
  const backends = hostsOf(net).filter(({ role }) => role === 'backend');
  const read = async () => {
    for (const { name } of backends) {
      const faults = await readFile(join(hostFolderOf(stateDir, name), 'fault'), 'utf8').catch(
        () => '',
      );
      const factor = Number(/^load ([\d.]+)/m.exec(faults)?.[1] ?? 1);
      if (factor === 1) heavy.delete(name);
      else
        heavy.set(name, {
          factor,
          users: heavy.get(name)?.users ?? homes.current().get(name) ?? [],
        });
    }
  };
  const timer = setInterval(() => void read(), READ_LOAD_EVERY_MS);
  return { current: () => heavy, stop: () => clearInterval(timer) };
}

interface Control {
  readonly describe: () => object;
  readonly mark: () => void;
  readonly rate: { factor: number };
}

function listenControl({ traffic }: LabSettings, { describe, mark, rate }: Control) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', traffic);
    const factor = Number(url.searchParams.get('factor') ?? Number.NaN);
    const route = `${request.method} ${url.pathname}`;
    let status = 200;
    if (route === 'POST /mark') mark();
    else if (route === 'POST /rate' && factor >= 0 && factor <= 100) rate.factor = factor;
    else if (route !== 'GET /stats') status = 404;
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(`${JSON.stringify(status === 200 ? describe() : { error: route }, null, 2)}\n`);
  });
  const { hostname, port } = new URL(traffic);
  return server.listen({ host: hostname, port: Number(port) });
}

if (import.meta.main) await main();
