import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrometheus } from '../../gateways/prometheus/http-prometheus.ts';
import type { Prometheus } from '../../gateways/prometheus/prometheus.ts';
import type { AttemptWindow, SiteMetrics } from '../../workflows/domain/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { logger, metrics } from './gateway-rig.ts';
import { prometheusConfig, startExporter, startPrometheus } from './prometheus-rig.ts';
import type { FakeExporter, RunningPrometheus } from './prometheus-rig.ts';

const SUCCESS = 'dovecot_proxy_session_success_total';
const FAILURE = 'dovecot_proxy_session_failure_total';
const DELIVERY_FAILURE = 'dovecot_lmtp_rcpt_finished_failure_total';
const of = (metric: string, host: string): string => `${metric}{dest_host="${host}"}`;

let proxy1: FakeExporter;
let proxy2: FakeExporter;
let backend: FakeExporter;
let south: FakeExporter;
let server: RunningPrometheus;
let prometheus: Prometheus;

async function read(windowSecs = 10): Promise<SiteMetrics> {
  return prometheus.readSiteMetrics({
    siteName: 'north',
    proxiesExpected: 2,
    windowsSecs: [windowSecs],
    maxAgeSecs: 5,
    minProxyShare: 0.8,
  });
}

async function windowOf(host: string, windowSecs = 10): Promise<AttemptWindow | undefined> {
  return (await read(windowSecs)).attempts[host]?.[0];
}

/** Scrapes come once a second: after two of them what was counted is known. */
async function twoScrapes(): Promise<void> {
  await sleep(2200);
}

beforeAll(async () => {
  proxy1 = await startExporter(11, 9900);
  proxy2 = await startExporter(12, 9900);
  south = await startExporter(13, 9900);
  backend = await startExporter(21, 9910);
  // A proxy that has long been running when Prometheus first sees it.
  proxy1.count(of(FAILURE, 'old'), 5000);
  proxy1.count(of(SUCCESS, 'old'), 9000);
  server = await startPrometheus([
    {
      job: 'dovecot_proxy',
      targets: [
        { exporter: proxy1, labels: { site: 'north', instance: 'proxy1' } },
        { exporter: proxy2, labels: { site: 'north', instance: 'proxy2' } },
        { exporter: south, labels: { site: 'south', instance: 'proxy3' } },
      ],
    },
    {
      job: 'cluster_service_backend',
      targets: [{ exporter: backend, labels: { site: 'north', host: 'mail1' } }],
    },
  ]);
  prometheus = createPrometheus(prometheusConfig(server.url), logger, metrics);
  await eventually('both proxies are scraped', async () => {
    const { view } = await read();
    return view.blindReason === null && view.scrapeIntervalSecs !== null;
  });
}, 60_000);

afterAll(async () => {
  await server.stop();
  await Promise.all([proxy1, proxy2, south, backend].map((one) => one.close()));
});

describe('prometheus: counting with a real server', () => {
  it('does not count the life of a proxy that merely became visible', async () => {
    await twoScrapes();
    const window = await windowOf('old');
    expect(window?.logins).toEqual({ succeeded: 0, failed: 0 });
  });

  it('sees who was scraped, how often and when', async () => {
    const { view } = await read();
    expect(view).toMatchObject({
      blindReason: null,
      proxiesExpected: 2,
      proxiesSeen: 2,
      scrapeIntervalSecs: 1,
    });
    expect(Math.abs((view.newestSampleMs ?? 0) - Date.now())).toBeLessThan(5000);
  });

  it('counts the first events of a series, exactly, over all proxies', async () => {
    await sleep(11_000);
    proxy1.count(of(FAILURE, 'mail2'), 7);
    proxy2.count(of(FAILURE, 'mail2'), 5);
    proxy2.count(of(SUCCESS, 'mail2'), 3);
    proxy1.count(of(DELIVERY_FAILURE, 'mail2'), 2);
    await twoScrapes();
    const window = await windowOf('mail2');
    expect(window).toEqual({
      windowSecs: 10,
      logins: { succeeded: 3, failed: 12 },
      deliveries: { succeeded: 0, failed: 2 },
    });
  });

  it('counts further events exactly, without stretching them over the look-back', async () => {
    proxy1.count(of(FAILURE, 'mail2'), 10);
    await twoScrapes();
    expect((await windowOf('mail2'))?.logins).toEqual({ succeeded: 3, failed: 22 });
  });

  it('counts nothing of another site', async () => {
    south.count(of(FAILURE, 'mail9'), 50);
    south.count(of(FAILURE, 'mail2'), 50);
    await twoScrapes();
    const { attempts } = await read();
    expect(attempts['mail9']).toBeUndefined();
    expect(attempts['mail2']?.[0]?.logins.failed).toBe(22);
  });

  it('forgets what is older than the look-back', async () => {
    await sleep(11_500);
    expect((await windowOf('mail2'))?.logins).toEqual({ succeeded: 0, failed: 0 });
    expect((await windowOf('mail2', 40))?.logins).toEqual({ succeeded: 3, failed: 22 });
  });

  it('counts on through the restart of a proxy', async () => {
    proxy1.count(of(SUCCESS, 'mail3'), 100);
    await twoScrapes();
    proxy1.series.clear();
    proxy1.count(of(SUCCESS, 'mail3'), 4);
    await twoScrapes();
    proxy1.count(of(SUCCESS, 'mail3'), 4);
    await twoScrapes();
    const { logins } = (await windowOf('mail3')) ?? {};
    // 108 happened; what happened between the last scrape and the restart nobody knows.
    expect(logins?.succeeded ?? 0).toBeGreaterThanOrEqual(8);
    expect(logins?.succeeded ?? 0).toBeLessThanOrEqual(130);
    expect(logins?.failed).toBe(0);
  }, 40_000);

  it('never counts the past of a proxy that could not be scraped for a while', async () => {
    proxy2.count(of(FAILURE, 'mail4'), 1);
    await twoScrapes();
    proxy2.isUp = false;
    await sleep(12_000);
    proxy2.count(of(FAILURE, 'mail4'), 1000);
    proxy2.isUp = true;
    await twoScrapes();
    expect((await windowOf('mail4'))?.logins.failed ?? 0).toBe(0);
    proxy2.count(of(FAILURE, 'mail4'), 6);
    await twoScrapes();
    const failed = (await windowOf('mail4'))?.logins.failed ?? 0;
    expect(failed).toBeGreaterThanOrEqual(6);
    expect(failed).toBeLessThan(20);
  }, 40_000);

  it('is blind while too few proxies are scraped', async () => {
    proxy2.isUp = false;
    await twoScrapes();
    const { view } = await read();
    expect(view).toMatchObject({ blindReason: 'TooFewProxies', proxiesSeen: 1 });
    proxy2.isUp = true;
    await eventually('both are back', async () => (await read()).view.blindReason === null);
  });

  it('lengthens a look-back of under four scrapes, and says so', async () => {
    const { attempts } = await prometheus.readSiteMetrics({
      siteName: 'north',
      proxiesExpected: 2,
      windowsSecs: [1, 2, 20],
      maxAgeSecs: 5,
      minProxyShare: 0.8,
    });
    expect(attempts['mail2']?.map(({ windowSecs }) => windowSecs)).toEqual([4, 20]);
  });

  it('reads the load of Backends; what is not a number was not measured', async () => {
    backend.series.set('dovekeeper_backend_cpu_cores', 0.25);
    backend.series.set('dovekeeper_backend_memory_bytes', 1_000_000);
    backend.series.set('dovekeeper_backend_metacache_bytes', 'NaN');
    const load = await eventually('the load is known', async () => {
      const { view, load: read1 } = await read();
      const of = read1['mail1'];
      // The rules of the load are evaluated one after the other: a read may come in between.
      const isWhole = of !== undefined && of.cpu !== null && of.memoryBytes !== null;
      return view.blindReason === null && isWhole && of;
    });
    expect(load).toMatchObject({ cpu: 0.25, memoryBytes: 1_000_000, metacacheBytes: null });
  });

  it('knows no proxies of a site that has none', async () => {
    const { view } = await prometheus.readSiteMetrics({
      siteName: 'atlantis"} or up{x="',
      proxiesExpected: 2,
      windowsSecs: [10],
      maxAgeSecs: 5,
      minProxyShare: 0.8,
    });
    expect(view.blindReason).toBe('NoProxies');
  });
});
