import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createPrometheus } from '../../gateways/prometheus/http-prometheus.ts';
import { viewOf } from '../../gateways/prometheus/view.ts';
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { failureOf, logger, metrics } from './gateway-rig.ts';
import { prometheusConfig } from './prometheus-rig.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A Prometheus that answers every query in the same way; null: not at all. */
async function startFake(answer: (query: string) => string | number | null): Promise<string> {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const reply = answer(new URLSearchParams(body).get('query') ?? '');
      if (typeof reply === 'number') response.writeHead(reply).end('no');
      else if (reply !== null) response.end(reply);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function readFrom(url: string): Promise<SiteMetrics> {
  return createPrometheus(prometheusConfig(url), logger, metrics).readSiteMetrics({
    siteName: 'north',
    proxiesExpected: 2,
    windowsSecs: [10],
    maxAgeSecs: 30,
    minProxyShare: 0.8,
  });
}

const nowSecs = 1_700_000_000;
const ok = (data: unknown): string => JSON.stringify({ status: 'success', data });
const scalar = ok({ resultType: 'scalar', result: [nowSecs, String(nowSecs)] });
const matrix = (...result: unknown[]): string => ok({ resultType: 'matrix', result });
const vector = (labels: object, value: string): string =>
  ok({ resultType: 'vector', result: [{ metric: labels, value: [nowSecs, value] }] });

/** A series as it was scraped once a second, lately. */
const series = (metric: object, ...values: string[]): unknown => ({
  metric,
  values: values.map((value, index) => [nowSecs - values.length + 1 + index, value]),
});
const up = (instance: string, ...values: string[]): unknown =>
  series({ __name__: 'up', instance }, ...values);
const SUCCESS = 'dovecot_proxy_session_success_total';
const counter = (labels: object, ...values: string[]): unknown =>
  series({ __name__: SUCCESS, instance: 'p1', ...labels }, ...values);

/** Two proxies that are scraped, and what they count. */
const seen =
  (...counters: unknown[]) =>
  (query: string): string => {
    if (query === 'time()') return scalar;
    if (!query.startsWith('{')) return vector({ host: 'm1' }, '0.5');
    return matrix(up('p1', '1', '1', '1'), up('p2', '1', '1', '1'), ...counters);
  };

describe('prometheus: answers', () => {
  it('is blind where nobody listens', async () => {
    const { view, attempts, load } = await readFrom('http://127.0.0.1:9');
    expect(view.blindReason).toBe('PrometheusUnreachable');
    expect({ attempts, load }).toEqual({ attempts: {}, load: {} });
  });

  it('is blind within two seconds where no answer comes', async () => {
    const startedMs = Date.now();
    const { view } = await readFrom(await startFake(() => null));
    expect(view.blindReason).toBe('PrometheusUnreachable');
    expect(Date.now() - startedMs).toBeLessThan(3000);
  });

  it.each([
    ['no JSON', '<html>502</html>'],
    ['another shape', '{"status":"success","data":[]}'],
    ['an error with status 200', '{"status":"error","errorType":"bad_data"}'],
    ['a vector where a scalar is due', vector({}, '1')],
    ['an empty body', ''],
    ['HTTP 400', 400],
    ['HTTP 500', 500],
  ])('is blind for a bad answer: %s', async (_name, answer) => {
    const { view } = await readFrom(await startFake(() => answer));
    expect(view.blindReason).toBe('PrometheusBadAnswer');
  });

  it('takes HTTP 503 for a Prometheus that is not there yet', async () => {
    expect((await readFrom(await startFake(() => 503))).view.blindReason).toBe(
      'PrometheusUnreachable',
    );
  });

  it.each(['NaN', '+Inf', '-1', '', 'many'])('is blind for a count of "%s"', async (value) => {
    const { view } = await readFrom(
      await startFake(seen(counter({ dest_host: 'm1' }, '7', '8', value))),
    );
    expect(view.blindReason).toBe('PrometheusBadAnswer');
  });

  it('sees again as soon as the newest count is a number, and counts over the gap', async () => {
    const answer = seen(counter({ dest_host: 'm1' }, '7', 'NaN', '9.4'));
    const { view, attempts } = await readFrom(await startFake(answer));
    expect(view.blindReason).toBeNull();
    expect(attempts['m1']?.[0]?.logins).toEqual({ succeeded: 2, failed: 0 });
  });

  it('does not mind a proxy that counts nothing yet', async () => {
    const { view, attempts } = await readFrom(await startFake(seen()));
    expect([view.blindReason, attempts]).toEqual([null, {}]);
  });

  it('is blind where no counter says which Backend it counts', async () => {
    const { view, attempts } = await readFrom(await startFake(seen(counter({}, '7', '8', '9'))));
    expect([view.blindReason, attempts]).toEqual(['LabelsMissing', {}]);
  });

  it('leaves out attempts on no Backend where others have one', async () => {
    const answer = seen(counter({}, '7', '8', '9'), counter({ dest_host: 'm1' }, '1', '2', '4'));
    const { view, attempts } = await readFrom(await startFake(answer));
    expect(view.blindReason).toBeNull();
    expect(Object.keys(attempts)).toEqual(['m1']);
  });

  it('is blind where a clock stands still: the answers come out of a cache', async () => {
    const url = await startFake(seen(counter({ dest_host: 'm1' }, '7', '8', '9')));
    const cached = createPrometheus(prometheusConfig(url), logger, metrics);
    const read = (): Promise<SiteMetrics> =>
      cached.readSiteMetrics({
        siteName: 'north',
        proxiesExpected: 2,
        windowsSecs: [10],
        maxAgeSecs: 1,
        minProxyShare: 0.8,
      });
    expect((await read()).view.blindReason).toBeNull();
    await eventually('it is blind', async () => {
      return (await read()).view.blindReason === 'MetricsTooOld';
    });
  });

  it('judges health without the load: a load query of nonsense only leaves the load out', async () => {
    const answer = (query: string) =>
      query === 'time()' || query.startsWith('{') ? seen()(query) : 400;
    const { view, load } = await readFrom(await startFake(answer));
    expect([view.blindReason, load]).toEqual([null, {}]);
  });

  it('says by code why a ping failed', async () => {
    const dead = createPrometheus(prometheusConfig('http://127.0.0.1:9'), logger, metrics);
    expect(await failureOf(dead.ping())).toMatchObject({
      system: 'prometheus',
      code: 'Unreachable',
      isTemporary: true,
    });
    const refusing = createPrometheus(
      prometheusConfig(await startFake(() => 401)),
      logger,
      metrics,
    );
    expect(await failureOf(refusing.ping())).toMatchObject({
      code: 'Unauthorized',
      isTemporary: false,
    });
  });
});

describe('prometheus: what it is asked', () => {
  /** All queries of one read, against a Prometheus that has none of the recorded series. */
  async function asked(
    settings: Readonly<Record<string, string>>,
    isRecorded = false,
  ): Promise<{ queries: string[]; metrics: SiteMetrics }> {
    const queries: string[] = [];
    const url = await startFake((query) => {
      queries.push(query);
      const isMissing = query.includes('dovekeeper:backend') && !isRecorded;
      return isMissing ? ok({ resultType: 'vector', result: [] }) : seen()(query);
    });
    const read = await createPrometheus(
      prometheusConfig(url, settings),
      logger,
      metrics,
    ).readSiteMetrics({
      siteName: 'no"rth',
      proxiesExpected: 2,
      windowsSecs: [10],
      maxAgeSecs: 30,
      minProxyShare: 0.8,
    });
    return { queries, metrics: read };
  }

  it('is one selector for scrapes and counters, with the names of the settings', async () => {
    const { queries } = await asked({
      PROMETHEUS_PROXY_SELECTOR: 'job=~"imap.*",cluster="$site"',
      PROMETHEUS_LOGIN_FAILURE_METRIC: 'login_bad_total',
    });
    const [counters, ...others] = queries.filter((query) => query.startsWith('{'));
    expect(counters).toContain(',job=~"imap.*",cluster="no\\"rth"}[85000ms]');
    expect(counters).toMatch(/__name__=~"up\|.*login_bad_total/);
    expect(others).toEqual([]);
  });

  it('is the recorded load first, and the measured series only where nobody records', async () => {
    const without = await asked({});
    expect(without.queries.filter((query) => query.includes('avg_over_time'))).toHaveLength(3);
    const withRules = await asked({}, true);
    expect(withRules.queries.filter((query) => query.includes('_over_time'))).toEqual([]);
    for (const { metrics: read } of [without, withRules]) {
      expect(read.load).toEqual({
        m1: { cpu: 0.5, memoryBytes: 1, metacacheBytes: 1, samples: 0 },
      });
    }
  });

  it('is what an operator set, with site and window filled in', async () => {
    const { queries } = await asked({
      PROMETHEUS_CPU_QUERY: 'sum by (host) (rate(node_cpu{site="$site"}[$window]))',
    });
    expect(queries).toContain('sum by (host) (rate(node_cpu{site="no\\"rth"}[60000ms]))');
    expect(queries.some((query) => query.includes('backend_cpu_cores:'))).toBe(false);
  });

  it('is never about all sites at once', () => {
    const bad = (): unknown =>
      prometheusConfig('http://localhost:9090', {
        PROMETHEUS_PROXY_SELECTOR: 'job="dovecot_proxy"',
        PROMETHEUS_MEMORY_QUERY: 'max by (host) (memory)',
        PROMETHEUS_LOGIN_SUCCESS_METRIC: 'a b',
      });
    expect(bad).toThrow(/PROXY_SELECTOR must hold \$site[^]*SUCCESS_METRIC[^]*MEMORY_QUERY/);
  });
});

describe('prometheus: view', () => {
  const expectation = { proxiesExpected: 4, maxAgeSecs: 30, minProxyShare: 0.75 };
  const proxy = (ageSecs: number, value = 1, intervalSecs = 15) => ({
    labels: {},
    times: [nowSecs - ageSecs - intervalSecs, nowSecs - ageSecs],
    values: [value, value],
  });
  const reasonOf = (proxies: ReturnType<typeof proxy>[], more = {}) =>
    viewOf(proxies, nowSecs, { ...expectation, ...more }).blindReason;

  it('has no proxies where none was ever scraped', () => {
    expect(reasonOf([])).toBe('NoProxies');
  });

  it('sees enough with exactly the demanded share', () => {
    expect(reasonOf([proxy(1), proxy(2), proxy(3)])).toBeNull();
    expect(reasonOf([proxy(1), proxy(2)])).toBe('TooFewProxies');
  });

  it('does not take failed scrapes for seen proxies', () => {
    expect(reasonOf([proxy(1), proxy(2), proxy(3, 0), proxy(3, 0)])).toBe('TooFewProxies');
  });

  it('allows the greater of the maximum age and three scrape intervals', () => {
    expect(reasonOf([45, 45, 45].map((age) => proxy(age)))).toBeNull();
    expect(reasonOf([46, 46, 46].map((age) => proxy(age)))).toBe('MetricsTooOld');
    expect(reasonOf([31, 31, 31].map((age) => proxy(age, 1, 1)))).toBe('MetricsTooOld');
  });

  it('expects as many as are scraped where nobody says how many there are', () => {
    const view = viewOf([proxy(1), proxy(1), proxy(120)], nowSecs, {
      ...expectation,
      proxiesExpected: null,
    });
    expect(view).toMatchObject({ blindReason: null, proxiesExpected: 2, proxiesSeen: 2 });
  });

  it('is blind when none of the proxies works, however few are expected', () => {
    expect(reasonOf([proxy(1, 0)], { proxiesExpected: 0, minProxyShare: 0 })).toBe('TooFewProxies');
  });

  it('takes the median distance of scrapes, so that one gap does not matter', () => {
    const times = [0, 5, 10, 60, 65, 70].map((secs) => nowSecs - 70 + secs);
    const values = times.map(() => 1);
    const whole = [{ labels: {}, times, values }];
    expect(viewOf(whole, nowSecs, expectation).scrapeIntervalSecs).toBe(5);
    const once = [{ labels: {}, times: times.slice(-1), values: [1] }];
    expect(viewOf(once, nowSecs, expectation).scrapeIntervalSecs).toBeNull();
  });
});
