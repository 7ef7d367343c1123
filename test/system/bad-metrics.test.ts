/**
 * Metrics that cannot be trusted: whatever is wrong with them, a Backend that fails meanwhile is left alone, and
 * the reason is named; as soon as they are right again it is dealt with, without anybody's help.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import type { BlindReason } from '../../workflows/domain/metrics.ts';
import {
  startExporter,
  startPrometheus,
  type FakeExporter,
  type RunningPrometheus,
} from '../gateways/prometheus-rig.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';
import { eventually } from '../support/eventually.ts';
import { startGarblingProxy, type Garbler, type GarblingProxy } from '../support/garbling-proxy.ts';
import { playBackend } from '../support/played-backend.ts';
import { playTraffic } from '../support/played-traffic.ts';
import { startRawDoveadm, type RawDoveadm } from '../support/raw-doveadm.ts';
import { replayStored } from './replay-decisions.ts';

/** So many that the one that fails in each test never makes half of them. */
const BACKENDS = Array.from({ length: 18 }, (_, index) => `mail${index + 1}`);
const PROXIES = ['proxy1', 'proxy2'];
const USERS = 3;
const DOVEADM_PORT = 24_280;
const LONG = { timeoutMs: 180_000, intervalMs: 250 };
/** Cycles that pass while the Backend fails and nobody may notice. */
const BLIND_CYCLES = 3;

let rig: ControllerRig;
let prometheus: RunningPrometheus;
let proxy: GarblingProxy;
let stopTraffic: () => void;
let token: string;
const exporters: FakeExporter[] = [];
const servers: RawDoveadm[] = [];
const failing = new Set<string>();

beforeAll(async () => {
  const backends = BACKENDS.map((name, index) => ({ name, byte: index + 1, users: USERS }));
  const settings = { METRICS_MAX_AGE_SECS: '5' };
  const proxies = PROXIES.map((name, index) => ({ name, byte: index + 51 }));
  rig = await openControllerRig({ octet: 11, backends, proxies, settings });
  token = await rig.issueToken('operator');
  for (const { name, byte } of [...backends, ...proxies]) {
    const endpoint = { host: rig.at(byte), port: DOVEADM_PORT };
    servers.push(await startRawDoveadm(endpoint, (call) => playBackend(rig, name, call)));
  }
  exporters.push(await startExporter(111, 9900), await startExporter(112, 9900));
  const targets = exporters.map((exporter, index) => ({
    exporter,
    labels: { site: rig.siteName, instance: PROXIES[index] ?? '' },
  }));
  prometheus = await startPrometheus([{ job: 'dovecot_proxy', targets }], { lastByte: 110 });
  proxy = await startGarblingProxy({ host: rig.at(200), port: 9090 }, prometheus.url);
  stopTraffic = playTraffic(exporters, BACKENDS, failing);
  const more = { PROMETHEUS_URL: `http://${rig.at(200)}:9090` };
  rig.start('worker/main.ts', more);
  rig.start('api/main.ts', more);
  await untilSeen(Date.now());
}, 300_000);

afterAll(async () => {
  stopTraffic();
  await rig.close();
  await proxy.close();
  await prometheus.stop();
  for (const part of [...exporters, ...servers]) await part.close();
}, 60_000);

async function decisionsSince(sinceMs: number): Promise<RecordedDecision[]> {
  const { decisions } = await rig.store.readDecisions({
    siteName: rig.siteName,
    task: 'check_backend_health',
    limit: 200,
  });
  return decisions.filter((one) => one.lastRepeatedAtMs >= sinceMs);
}

/** Somebody was judged by metrics since then. */
const untilSeen = (sinceMs: number): Promise<unknown> =>
  eventually(
    'Backends are judged',
    async () => (await decisionsSince(sinceMs)).some(({ reason }) => reason === 'Healthy'),
    LONG,
  );

async function untilBlind(sinceMs: number, blindReason: BlindReason): Promise<number> {
  const found = await eventually(
    `blind: ${blindReason}`,
    async () => {
      const decisions = await decisionsSince(sinceMs);
      return decisions.find(({ reason, detail }) => reason === 'Blind' && detail === blindReason);
    },
    LONG,
  );
  return found.lastRepeatedAtMs;
}

const actsSince = async (sinceMs: number): Promise<string[]> =>
  (await decisionsSince(sinceMs))
    .filter(({ kind, recordedAtMs }) => kind !== 'nothing' && recordedAtMs >= sinceMs)
    .map(({ kind, hosts }) => `${kind} ${hosts.join('+')}`);

const countHomes = async (host: string): Promise<number> =>
  Object.values(await rig.homes()).filter((home) => home === host).length;

interface Wrong {
  readonly begin: () => void;
  readonly end: () => void;
  /** A Backend that is evacuated by hand meanwhile. */
  readonly byHand?: string;
}

/** `host` fails while the metrics are wrong, and still does when they are right again. */
async function goBlind(host: string, blindReason: BlindReason, wrong: Wrong): Promise<void> {
  const sinceMs = Date.now();
  wrong.begin();
  try {
    let blindAtMs = await untilBlind(sinceMs, blindReason);
    failing.add(host);
    const failsSinceMs = Date.now();
    for (let cycle = 0; cycle < BLIND_CYCLES; cycle += 1) {
      blindAtMs = await untilBlind(blindAtMs + 1, blindReason);
    }
    if (wrong.byHand !== undefined) await evacuateByHand(wrong.byHand);
    expect(await actsSince(failsSinceMs)).toEqual([]);
    expect(await countHomes(host)).toBeGreaterThanOrEqual(USERS);
  } finally {
    wrong.end();
  }
  const isEmpty = async (): Promise<boolean> => (await countHomes(host)) === 0;
  await eventually(`${host} is evacuated once it is seen`, isEmpty, LONG);
  expect(await actsSince(sinceMs)).toContain(`evacuate ${host}`);
  failing.delete(host);
}

async function evacuateByHand(host: string): Promise<void> {
  const response = await fetch(`http://${rig.at(250)}:8080/api/v1/backends/${host}/evacuate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'test' }),
  });
  expect(response.status, await response.clone().text()).toBe(202);
  const { operationId } = (await response.json()) as { operationId: string };
  const isDone = async (): Promise<boolean> =>
    (await rig.store.readOperation(operationId))?.state === 'done';
  await eventually(`${host} is evacuated by hand`, isDone, LONG);
}

const garbled = (garbler: Garbler): Wrong => ({
  begin: () => proxy.garble(garbler),
  end: () => proxy.garble(null),
});

interface Series {
  readonly metric: Record<string, string>;
  values: [number, string][];
}

/** Changes each series of the proxies in an answer, `up` among them; other answers stay as they are. */
const changed =
  (work: (series: Series) => Series): Garbler =>
  (query, text) => {
    if (!query.startsWith('{__name__')) return text;
    const answer = JSON.parse(text) as { data: { result: Series[] } };
    answer.data.result = answer.data.result.map(work);
    return JSON.stringify(answer);
  };

const isUp = ({ metric }: Series): boolean => metric['__name__'] === 'up';

describe('metrics that cannot be trusted', () => {
  it('Prometheus is gone; what a person asks for is done all the same', async () => {
    const wrong = garbled(() => 'gone');
    await goBlind('mail1', 'PrometheusUnreachable', { ...wrong, byHand: 'mail18' });
  });

  it.each<[string, string, Garbler]>([
    ['mail2', 'a web page', () => '<html>502 Bad Gateway</html>'],
    ['mail3', 'HTTP 500 for the counters', (query, text) => (query === 'time()' ? text : 500)],
    [
      'mail4',
      'NaN',
      changed((series) => {
        const newest = series.values.at(-1);
        if (!isUp(series) && newest !== undefined) newest[1] = 'NaN';
        return series;
      }),
    ],
  ])('%s fails while the answers are %s', async (host, _what, garbler) => {
    await goBlind(host, 'PrometheusBadAnswer', garbled(garbler));
  });

  it('answers come out of a cache: their clock stands still', async () => {
    const cached = new Map<string, string>();
    const wrong = garbled((query, text) => {
      const kind = query.split('[')[0] ?? '';
      cached.set(kind, cached.get(kind) ?? text);
      return cached.get(kind) ?? text;
    });
    await goBlind('mail5', 'MetricsTooOld', wrong);
  });

  it('nothing is scraped any more, and only old samples are left', async () => {
    let untilSecs = 0;
    const old = changed((series) => {
      return { ...series, values: series.values.filter(([atSecs]) => atSecs < untilSecs) };
    });
    await goBlind('mail6', 'MetricsTooOld', {
      ...garbled(old),
      begin: () => {
        untilSecs = Date.now() / 1000;
        proxy.garble(old);
      },
    });
  });

  it('the counters lost the label that names the Backend', async () => {
    const unlabelled = changed((series) => {
      const { dest_host: _lost, ...metric } = series.metric;
      return { ...series, metric };
    });
    await goBlind('mail7', 'LabelsMissing', garbled(unlabelled));
  });

  it('one of two proxies is missing', async () => {
    const second = exporters[1];
    await goBlind('mail8', 'TooFewProxies', {
      begin: () => {
        if (second !== undefined) second.isUp = false;
      },
      end: () => {
        if (second !== undefined) second.isUp = true;
      },
    });
  });

  it('counters that begin again at 0, again and again, are no failures', async () => {
    const sinceMs = Date.now();
    for (let restart = 0; restart < 4; restart += 1) {
      for (const exporter of exporters) exporter.series.clear();
      await untilSeen(Date.now() + 1000);
    }
    // The Backend of the former test may still be on its way back.
    const moves = (await actsSince(sinceMs)).filter((act) => /^(evacuate|movePartially)/.test(act));
    expect(moves).toEqual([]);
  });
});

it('every decision of this run comes out the same when it is made again', async () => {
  const { total, others } = await replayStored(rig.store, rig.siteName);
  expect(others).toEqual([]);
  expect(total).toBeGreaterThan(0);
});
