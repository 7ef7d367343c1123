/** The cluster service beside a Backend: doveadm with the `cluster` commands, measurements. */
import { setTimeout as pause } from 'node:timers/promises';
import { describeError } from '../../../platform/describe-error.ts';
import { readAnvilSessions } from './anvil-sessions.ts';
import type { BackendContext } from './backend-context.ts';
import { startClusterMap } from './cluster-map.ts';
import { createSessionCutter } from './cut-sessions.ts';
import { createDepartureGate } from './departure-gate.ts';
import { createDoveadmClient } from './doveadm-client.ts';
import { listenDoveadm } from './doveadm-server.ts';
import { openGeodb } from './geodb.ts';
import { openHomeChangeLog } from './home-change-log.ts';
import { listenHttp, type HttpAnswer } from './http-server.ts';
import type { Log } from './log.ts';
import { measureMetacache } from './metacache-bytes.ts';
import { createMetrics, METRICS_CONTENT_TYPE } from './metrics-text.ts';
import { startMovedOffSweeper } from './moved-off-sweeper.ts';
import { startUsageMeter } from './process-usage.ts';
import { createRecovery } from './recovery.ts';
import { createRecentLogins } from './recent-logins.ts';
import { createSessionWatch } from './session-watch.ts';
import type { Settings } from './settings.ts';
import { startSleepWatch } from './sleep-watch.ts';
import { createProxyTeller } from './tell-proxies.ts';
import { endStrangers, RECENT_LOGIN_MS } from './end-sessions.ts';
import { createElsewhereFinder, type ElsewhereFinder } from './where.ts';

/** Only names are taken from it here: commands read again. */
const MAP_EVERY_MS = 5000;
const MEASURE_EVERY_MS = 2000;
const MEASURE_METACACHE_EVERY_MS = 30_000;
/** Beyond, it is a lower bound: who has 100,000 users would do nothing but read their homes. */
const MEASURED_USERS = 5_000;
const LONGEST_DELAY_MS = 14_000;

/** Runs until the answer is called. Needs neither the GeoDB nor Dovecot to be there already. */
export async function startBackendRole(settings: Settings, log: Log): Promise<() => Promise<void>> {
  const { recovery, context, stopParts } = createContext(settings, log);
  const findElsewhere = createElsewhereFinder(settings.hostAddresses, context);
  const servers = [
    await listenHttp(settings.http, (url) => answer(url, findElsewhere, context)),
    await listenDoveadm({ settings, context, recovered: () => recovery.done() }),
  ];
  recovery.begin('started');
  const stopMeasuring = startMeasuring(settings, context);
  return async () => {
    recovery.stop();
    stopMeasuring();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await stopParts();
  };
}

function createContext(settings: Settings, log: Log) {
  const { host, site } = settings;
  const geodb = openGeodb(settings.cassandra);
  const map = startClusterMap({ geodb, site, refreshMs: MAP_EVERY_MS, log });
  const doveadm = createDoveadmClient(settings.doveadm.upstream, settings.doveadm.apiKey);
  const sessions = createSessionWatch(() => readAnvilSessions(settings.dovecotBaseDir));
  const { apiKey } = settings.doveadm;
  const cutSessions = createSessionCutter(settings.proxyDoveadms, { host, apiKey });
  const tellProxies = createProxyTeller(settings.proxyServices, apiKey);
  const ownId = () => map.backendByHost(host)?.id ?? null;
  const sweeper = startMovedOffSweeper({
    ...{ geodb, sessions, log, ownId },
    endStrangers: (usernames) => endStrangers(usernames, context),
  });
  const recentLogins = createRecentLogins(RECENT_LOGIN_MS);
  recentLogins.noteBlindness();
  const sleep = startSleepWatch((sleptMs) => {
    log.warn('this process slept', { sleptMs: Math.round(sleptMs) });
    recentLogins.noteBlindness();
    recovery.begin('woke');
  });
  const homeChanges = openHomeChangeLog(settings.homeChangeLog);
  const metrics = createMetrics();
  const leaving: BackendContext['leaving'] = new Map();
  const departures = createDepartureGate();
  const context: BackendContext = {
    ...{ host, geodb, map, doveadm, sessions, cutSessions, sweeper, sleep, leaving, recentLogins },
    ...{ departures, tellProxies, homeChanges, metrics, log },
  };
  const recovery = createRecovery(context);
  const stopParts = async () => {
    for (const part of [map, sweeper, sleep]) part.stop();
    await Promise.all([homeChanges.close(), geodb.close()]);
  };
  return { recovery, context, stopParts };
}

async function answer(
  url: URL,
  findElsewhere: ElsewhereFinder,
  context: BackendContext,
): Promise<HttpAnswer> {
  switch (url.pathname) {
    case '/where':
      return answerWhere(url.searchParams, findElsewhere, context);
    case '/metrics':
      return { status: 200, body: context.metrics.print(), contentType: METRICS_CONTENT_TYPE };
    case '/health':
      return { status: 200, body: 'ok\n' };
    default:
      return { status: 404, body: 'not found\n' };
  }
}

/** `delay` is the lab's fault `slow`: milliseconds that a login takes longer. */
async function answerWhere(
  query: URLSearchParams,
  findElsewhere: ElsewhereFinder,
  { metrics }: BackendContext,
) {
  const delayMs = Math.min(Number(query.get('delay') ?? 0) || 0, LONGEST_DELAY_MS);
  if (delayMs > 0) await pause(delayMs);
  const username = (query.get('u') ?? '').toLowerCase();
  const elsewhere = await findElsewhere(username, {
    opensSession: query.get('service') !== 'lmtp',
    askedAtMs: Number(query.get('asked') ?? 0) || null,
  });
  if (elsewhere === null) return { status: 204 };
  metrics.add('dovekeeper_passed_on');
  return { status: 200, body: `${elsewhere.host} ${elsewhere.address}` };
}

function startMeasuring({ dovecotBaseDir, mailRoot }: Settings, context: BackendContext) {
  const { metrics, log } = context;
  const stopUsage = startUsageMeter(dovecotBaseDir, MEASURE_EVERY_MS, (usage) => {
    if (usage === null) return;
    metrics.set('dovekeeper_backend_cpu_cores', usage.cpuCores);
    metrics.set('dovekeeper_backend_memory_bytes', usage.memoryBytes);
  });
  const measureCache = async () => {
    const id = context.map.backendByHost(context.host)?.id;
    if (mailRoot === null || id === undefined) return;
    const users: string[] = [];
    for await (const { username } of context.geodb.readHomesOf(id)) {
      users.push(username);
      if (users.length >= MEASURED_USERS) break;
    }
    metrics.set('dovekeeper_backend_metacache_bytes', await measureMetacache(mailRoot, users));
  };
  const tick = () =>
    measureCache().catch((error: unknown) =>
      log.warn('metacache not measured', { error: describeError(error) }),
    );
  const firstTimer = setTimeout(() => void tick(), MEASURE_EVERY_MS);
  const cacheTimer = setInterval(() => void tick(), MEASURE_METACACHE_EVERY_MS);
  return () => {
    stopUsage();
    clearTimeout(firstTimer);
    clearInterval(cacheTimer);
  };
}
