/** A real Prometheus that scrapes exporters of ours, on addresses of this net. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../platform/config.ts';
import type { PrometheusConfig } from '../../platform/config.ts';
import { testNet } from '../support/test-net.ts';

/** The settings of a controller, as they are by default. */
export function prometheusConfig(
  url: string,
  settings: Readonly<Record<string, string>> = {},
): PrometheusConfig {
  return readConfig({ CLUSTER_SITE: 'north', PROMETHEUS_URL: url, ...settings }).prometheus;
}

export interface FakeExporter {
  readonly target: string;
  /** Lines by series: what it exports at the next scrape. */
  readonly series: Map<string, number | string>;
  /** Raises a counter, which appears with its first event as Dovecot's do. */
  count(series: string, by?: number): void;
  /** False: the scrape fails. */
  isUp: boolean;
  close(): Promise<void>;
}

export async function startExporter(lastByte: number, port: number): Promise<FakeExporter> {
  const series = new Map<string, number | string>();
  const host = `127.${testNet()}.9.${lastByte}`;
  const exporter = {
    target: `${host}:${port}`,
    series,
    isUp: true,
    count: (name: string, by = 1) => {
      series.set(name, Number(series.get(name) ?? 0) + by);
    },
  };
  const server = createServer((_request, response) => {
    if (!exporter.isUp) {
      response.writeHead(500).end();
      return;
    }
    const lines = [...series].map(([name, value]) => `${name} ${value}\n`);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(lines.join(''));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, host, resolve);
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  return Object.assign(exporter, { close });
}

export interface ScrapeJob {
  readonly job: string;
  readonly targets: readonly {
    readonly exporter: FakeExporter;
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

export interface RunningPrometheus {
  readonly url: string;
  stop(): Promise<void>;
}

/** Scrapes once a second. The caller waits for what it needs: the first scrape takes about 6 s. */
export async function startPrometheus(
  jobs: readonly ScrapeJob[],
  { lastByte = 1 }: { readonly lastByte?: number } = {},
): Promise<RunningPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'dovekeeper-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  await writeFile(config, JSON.stringify(toConfig(jobs)));
  const listen = `127.${testNet()}.9.${lastByte}:9090`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  return {
    url: `http://${listen}`,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** JSON is YAML too. */
function toConfig(jobs: readonly ScrapeJob[]): unknown {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: jobs.map(({ job, targets }) => ({
      job_name: job,
      static_configs: targets.map(({ exporter, labels }) => ({
        targets: [exporter.target],
        labels,
      })),
    })),
  };
}
