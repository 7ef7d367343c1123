/** The real Prometheus, scraping a synthetic site at the intervals of an ordinary installation. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_DIR } from '../../../lab/parts/folders.mjs';
import { eventually } from '../../support/eventually.ts';

export const SCRAPE_INTERVAL_SECS = 5;
const READY_MS = 60_000;

export interface BenchPrometheus {
  readonly url: string;
  /** CPU seconds that it has used. */
  cpuSecs(): number;
  rssMib(): number;
  /** Loads further rules and forgets former ones; absent: none but the product's. */
  loadRules(groups: readonly object[]): Promise<void>;
  query(text: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]>;
  stop(): Promise<void>;
}

export interface ScrapedSite {
  readonly siteName: string;
  /** host:port of the exporter. */
  readonly exporter: string;
  readonly proxies: number;
}

export async function startBenchPrometheus(
  folder: string,
  listen: string,
  site: ScrapedSite,
): Promise<BenchPrometheus> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'prometheus.yml');
  const ownRules = join(folder, 'bench.rules.yml');
  writeFileSync(ownRules, JSON.stringify({ groups: [] }));
  writeFileSync(config, JSON.stringify(configOf(site, ownRules)));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
      '--web.enable-lifecycle',
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `http://${listen}`;
  const isReady = (): Promise<boolean> =>
    fetch(`${url}/-/ready`).then(
      (response) => response.ok,
      () => false,
    );
  await eventually('Prometheus is ready', isReady, { timeoutMs: READY_MS });
  const stat = (name: string): string => readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  return {
    url,
    // By thread, in nanoseconds: the figures of the process are in hundredths of a second.
    cpuSecs: () =>
      readdirSync(`/proc/${child.pid}/task`)
        .map((thread) => Number(stat(`task/${thread}/schedstat`).split(' ')[0]) / 1e9)
        .reduce((sum, secs) => sum + secs, 0),
    rssMib: () => Number(/VmRSS:\s+(\d+)/.exec(stat('status'))?.[1] ?? 0) / 1024,
    loadRules: async (groups) => {
      writeFileSync(ownRules, JSON.stringify({ groups }));
      const response = await fetch(`${url}/-/reload`, { method: 'POST' });
      if (!response.ok) throw new Error(`rules not loaded: ${await response.text()}`);
    },
    query: async (query) => {
      const body = new URLSearchParams({ query });
      const response = await fetch(`${url}/api/v1/query`, { method: 'POST', body });
      const { data } = (await response.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function configOf({ siteName, exporter, proxies }: ScrapedSite, ownRules: string): object {
  const folder = join(ROOT_DIR, 'deploy/prometheus');
  const product = readdirSync(folder).filter((name) => name.endsWith('.rules.yml'));
  const target = (path: string, labels: object): object => ({
    targets: [exporter],
    labels: { site: siteName, __metrics_path__: path, ...labels },
  });
  return {
    global: {
      scrape_interval: `${SCRAPE_INTERVAL_SECS}s`,
      scrape_timeout: '4s',
      evaluation_interval: '15s',
    },
    rule_files: [...product.map((name) => join(folder, name)), ownRules],
    scrape_configs: [
      {
        job_name: 'dovecot_proxy',
        static_configs: Array.from({ length: proxies }, (_, index) =>
          target(`/proxy/${index}`, { instance: `proxy${index + 1}` }),
        ),
      },
      { job_name: 'cluster_service_backend', static_configs: [target('/backends', {})] },
    ],
  };
}
