/** The cluster service beside a proxy: lookups, probes, site reachability, metrics. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { describeError } from '../../../platform/describe-error.ts';
import { readLookupDelay } from '../late-lookups.ts';
import { createMoveAwaiter } from './await-move.ts';
import { startClusterMap } from './cluster-map.ts';
import { createDoveadmClient } from './doveadm-client.ts';
import { openGeodb } from './geodb.ts';
import { openHomeChangeLog } from './home-change-log.ts';
import { listenHttp, type HttpAnswer } from './http-server.ts';
import { createLastAnswers } from './last-answers.ts';
import type { Log } from './log.ts';
import { lookUp, NoOpenBackendError, type LookupParts } from './lookup.ts';
import { readMemory, writeMemory, type Memory } from './memory-file.ts';
import { createMetrics, METRICS_CONTENT_TYPE, type Metrics } from './metrics-text.ts';
import { createMoveNewsBoard, receiveMoveNews } from './move-news.ts';
import { startProbes } from './probe.ts';
import { startUsageMeter } from './process-usage.ts';
import { startReachability } from './reachability.ts';
import type { Settings } from './settings.ts';

/** How old a status or load factor may be when a new user gets a home. */
const MAP_EVERY_MS = 1000;
const PATIENCE_MS = 800;
/** Below the 2 s after which Dovecot asks somebody else. */
const LAST_PATIENCE_MS = 1800;
const ASK_AGAIN_MS = 500;
const REMEMBER_USERS = 200_000;
const PRELOAD_EVERY_MS = 30_000;
const PRELOAD_AGAIN_MS = 1000;
const REST_FACTOR = 3;
const MEASURE_EVERY_MS = 2000;

/** Runs until the answer is called. Needs nobody to be there already. */
export async function startProxyRole(settings: Settings, log: Log): Promise<() => Promise<void>> {
  const parts = createLookupParts(settings, await readMemory(settings.memoryFile), log);
  const { geodb, map, metrics, hostAddresses, homeChanges, lastAnswers } = parts;
  const { imapPort, lmtpPort, address } = settings;
  const server = await listenHttp(settings.http, (url, request) =>
    answer(url, request, parts, settings),
  );
  const stops = [
    startReachability({ geodb, map, metrics, log, hostAddresses, imapPort }),
    startProbes({
      map,
      metrics,
      log,
      imap: { address, port: imapPort },
      lmtp: { address, port: lmtpPort },
      password: settings.probePassword,
    }),
    startPreloading({ geodb, map, lastAnswers, memoryFile: settings.memoryFile, log }),
    startMeasuring(settings.dovecotBaseDir, metrics),
    () => map.stop(),
  ];
  return async () => {
    for (const stop of stops) stop();
    server.close();
    server.closeAllConnections();
    await Promise.all([homeChanges.close(), geodb.close()]);
  };
}

/** @param memory what was known when a former process wrote it down; null: nothing */
function createLookupParts(settings: Settings, memory: Memory | null, log: Log) {
  const geodb = openGeodb(settings.cassandra);
  const { hostAddresses, userPattern, site } = settings;
  const former = memory?.map ?? null;
  const map = startClusterMap({ former, geodb, site, refreshMs: MAP_EVERY_MS, log });
  const lastAnswers = createLastAnswers({
    maxUsers: REMEMBER_USERS,
    patienceMs: PATIENCE_MS,
    lastPatienceMs: LAST_PATIENCE_MS,
    askAgainMs: ASK_AGAIN_MS,
    isSilence: (error) => !(error instanceof NoOpenBackendError),
    log,
  });
  for (const [username, backendId] of memory?.homes ?? []) {
    lastAnswers.remember(username, backendId);
  }
  return {
    geodb,
    map,
    lastAnswers,
    hostAddresses,
    userPattern,
    homeChanges: openHomeChangeLog(settings.homeChangeLog),
    endSessions: sessionEnder(settings, log),
    moveNews: createMoveNewsBoard(),
    awaitMove: createMoveAwaiter(settings.backendHttpPort),
    metrics: createMetrics(),
    log,
  };
}

type ProxyParts = ReturnType<typeof createLookupParts>;

async function answer(
  url: URL,
  request: IncomingMessage,
  parts: ProxyParts,
  { faultFile, doveadm: { apiKey } }: Settings,
): Promise<HttpAnswer> {
  const { metrics, moveNews } = parts;
  switch (url.pathname) {
    case '/lookup':
      return answerLookup(url.searchParams.get('u') ?? '', parts).finally(async () => {
        const delayMs = readLookupDelay(faultFile);
        if (delayMs > 0) await pause(delayMs);
      });
    case '/moves':
      return receiveMoveNews(request, { apiKey, board: moveNews });
    case '/metrics':
      metrics.set('dovekeeper_lookup_from_memory', parts.lastAnswers.isSilent() ? 1 : 0);
      return { status: 200, body: metrics.print(), contentType: METRICS_CONTENT_TYPE };
    case '/health':
      return { status: 200, body: 'ok\n' };
    default:
      return { status: 404, body: 'not found\n' };
  }
}

async function answerLookup(username: string, parts: ProxyParts) {
  const { metrics } = parts;
  const startedAtMs = performance.now();
  const found = await lookUp(username.toLowerCase(), parts);
  metrics.add('dovekeeper_lookup', { outcome: found.kind });
  metrics.add('dovekeeper_lookup_seconds', {}, (performance.now() - startedAtMs) / 1000);
  switch (found.kind) {
    case 'found':
      return { status: 200, body: `${found.host} ${found.address} ${found.askedAtMs ?? 0}` };
    case 'unknownUser':
      return { status: 404, body: 'unknown user' };
    case 'unavailable':
      return { status: 503, body: found.reason };
  }
}

/** Ends the sessions of a user on a Backend through its doveadm; a silent Backend has none. */
function sessionEnder({ hostAddresses, doveadm }: Settings, log: Log) {
  return (host: string, username: string) => {
    const endpoint = { address: hostAddresses.get(host) ?? host, port: doveadm.port };
    createDoveadmClient(endpoint, doveadm.apiKey)
      .kickProcesses(username)
      .catch((error: unknown) => log.warn('kick failed', { host, error: describeError(error) }));
  };
}

interface PreloadParts extends Pick<LookupParts, 'geodb' | 'map' | 'lastAnswers' | 'log'> {
  readonly memoryFile: string | null;
}

/** Learns all homes of the site now and then, so that a silent GeoDB stops nobody from logging in. */
function startPreloading({ geodb, map, lastAnswers, memoryFile, log }: PreloadParts) {
  const preload = async () => {
    const siteId = map.ownSite()?.id;
    const backends = map.current().backends.filter((backend) => backend.siteId === siteId);
    let users = 0;
    for (const { id } of backends) {
      for await (const { username } of geodb.readHomesOf(id)) {
        lastAnswers.remember(username, id);
        if (++users >= REMEMBER_USERS) break;
      }
    }
    if (memoryFile !== null && users > 0) {
      await writeMemory(memoryFile, { map: map.current(), homes: [...lastAnswers.entries()] });
    }
    return users > 0;
  };
  let isFailing = false;
  let isStopped = false;
  const tick = async () => {
    const beganAtMs = performance.now();
    const isDone = await preload().catch((error: unknown) => {
      if (!isFailing) log.warn('homes not preloaded', { error: describeError(error) });
      return false;
    });
    isFailing = !isDone;
    // Cassandra may still be at work for a try that was given up.
    const restMs = REST_FACTOR * (performance.now() - beganAtMs);
    const waitMs = isDone ? PRELOAD_EVERY_MS : Math.max(PRELOAD_AGAIN_MS, restMs);
    if (!isStopped) timer = setTimeout(() => void tick(), waitMs);
  };
  let timer = setTimeout(() => void tick(), PRELOAD_AGAIN_MS);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

function startMeasuring(baseDir: string, metrics: Metrics) {
  return startUsageMeter(baseDir, MEASURE_EVERY_MS, (usage) => {
    metrics.set('dovekeeper_proxy_cpu_cores', usage?.cpuCores ?? 0);
    metrics.set('dovekeeper_proxy_memory_bytes', usage?.memoryBytes ?? 0);
  });
}
