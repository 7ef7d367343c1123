/** Stores, a seeded large site, its played hosts and their Prometheus, and the controller of that site. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectGeodb } from '../../../lab/mail/seed-geodb.ts';
import { ROOT_DIR } from '../../../lab/parts/folders.mjs';
import { startLab } from '../../../lab/parts/lab.mjs';
import type { Lab } from '../../../lab/parts/lab.mjs';
import { eventually } from '../../support/eventually.ts';
import { createSiteApi } from '../../system/site-api.ts';
import type { SiteApi } from '../../system/site-api.ts';
import type { Bench } from '../bench-table.ts';
import { largeSite, settingsOf } from './large-site.ts';
import type { LargeSite } from './large-site.ts';
import { startBenchPrometheus } from './scraped-by-prometheus.ts';
import type { BenchPrometheus } from './scraped-by-prometheus.ts';
import { seedLargeSite } from './seed-large-site.ts';

export interface LargeLab {
  readonly lab: Lab;
  readonly site: LargeSite;
  readonly prometheus: BenchPrometheus;
  readonly seedSecs: number;
  readonly api: SiteApi;
  /** The only worker, with tasks at that interval, in seconds. Ends the former one. */
  startWorker(intervalSecs: number): Promise<WorkerWatch>;
  close(): Promise<void>;
}

export interface WorkerWatch {
  /** The most that it ever had in memory. */
  peakRssMib(): number;
  cpuSecs(): number;
}

const STORES = ['temporal', 'cassandra', 'redis'];
const KEYSPACE = 'd8s_cluster';
const EXPORTER_PORT = 9900;
const READY_MS = 120_000;
/** A look-back of a minute, and the samples of a first audit. */
const WARM_UP_MS = 60_000;
const WORKERS = ['worker-north', 'worker-north-2'];
const TICKS_PER_SEC = 100;

export async function openLargeLab(
  bench: Bench,
  { backends, users }: { readonly backends: number; readonly users: number },
): Promise<LargeLab> {
  // Filled in as soon as the net is known; parts read it when they are started.
  const settings: Record<string, string> = {};
  const stateDir = join(bench.stateDir, `backends-${backends}`);
  const lab = await startLab({ net: bench.net, stateDir, parts: STORES, settings });
  const stops: (() => Promise<unknown>)[] = [() => lab.stop()];
  try {
    const site = largeSite(lab.net, backends, users);
    const prometheusUrl = lab.addresses.prometheus;
    Object.assign(settings, settingsOf(lab.net, site, { prometheusUrl, intervalSecs: 60 }));
    const client = connectGeodb({ contactPoint: lab.addresses.cassandra });
    const seedSecs = await seedLargeSite(client, KEYSPACE, site, bench.print);
    await client.shutdown();
    bench.print(`${users} users at ${backends} Backends written in ${seedSecs.toFixed(0)} s`);
    stops.unshift(await playHosts(lab, backends, stateDir));
    const prometheus = await startBenchPrometheus(
      join(stateDir, 'prometheus'),
      `${lab.addresses.host}:9090`,
      {
        siteName: site.name,
        exporter: `${lab.addresses.host}:${EXPORTER_PORT}`,
        proxies: site.proxies.length,
      },
    );
    stops.unshift(() => prometheus.stop());
    await lab.runScript('north', ['gateways/controller-store/init.ts']);
    await lab.addPart('api-north');
    const token = await lab.runScript('north', ['api/issue-token.ts', 'operator']);
    const [north] = lab.sites;
    await sleep(WARM_UP_MS);
    return {
      lab,
      site,
      prometheus,
      seedSecs,
      api: createSiteApi(north?.api ?? '', token),
      startWorker: async (intervalSecs) => {
        const former = WORKERS.find((name) => lab.status().some((part) => part.name === name));
        if (former !== undefined) await lab.stopPart(former);
        Object.assign(settings, settingsOf(lab.net, site, { prometheusUrl, intervalSecs }));
        const next = WORKERS.find((name) => name !== former) ?? '';
        await lab.addPart(next);
        return watchWorker(lab.pidOf(next));
      },
      close: () => closeAll(stops),
    };
  } catch (error) {
    await closeAll(stops);
    throw error;
  }
}

async function closeAll(stops: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const stop of stops) await stop();
}

async function playHosts(
  lab: Lab,
  backends: number,
  stateDir: string,
): Promise<() => Promise<void>> {
  const script = fileURLToPath(new URL('played-hosts.ts', import.meta.url));
  const child = spawn(process.execPath, [script], {
    cwd: ROOT_DIR,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PLAYED_NET: String(lab.net),
      PLAYED_BACKENDS: String(backends),
      PLAYED_CASSANDRA: lab.addresses.cassandra,
      PLAYED_KEYSPACE: KEYSPACE,
      PLAYED_EXPORTER: `${lab.addresses.host}:${EXPORTER_PORT}`,
    },
  });
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  child.stderr.pipe(createWriteStream(join(stateDir, 'played-hosts.log')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const options = { timeoutMs: READY_MS };
  await eventually('the played hosts listen', () => said.includes('ready'), options);
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
}

function watchWorker(pid: number): WorkerWatch {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  return {
    peakRssMib: () => Number(/VmHWM:\s+(\d+)/.exec(read('status'))?.[1] ?? Number.NaN) / 1024,
    cpuSecs: () => {
      const fields = read('stat').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SEC;
    },
  };
}
