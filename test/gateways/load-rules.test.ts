/** The recording rules of the load, as Prometheus itself evaluates them: promtool plays series against them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const RULES = fileURLToPath(new URL('../../deploy/prometheus/load.rules.yml', import.meta.url));
const INTERVAL = '15s';

interface Recorded {
  readonly labels: string;
  readonly value: number;
}

/** What `query` answers 10 minutes after the series began; a message of promtool where it is otherwise. */
async function play(
  series: Readonly<Record<string, string>>,
  query: string,
  wanted: readonly Recorded[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dovekeeper-rules-'));
  const file = join(folder, 'test.json');
  const test = {
    rule_files: [RULES],
    evaluation_interval: INTERVAL,
    tests: [
      {
        interval: INTERVAL,
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [{ expr: query, eval_time: '10m', exp_samples: wanted }],
      },
    ],
  };
  await writeFile(file, JSON.stringify(test));
  try {
    await run('promtool', ['test', 'rules', file]);
    return 'as wanted';
  } catch (error) {
    return `${(error as { stdout?: string }).stdout}${(error as { stderr?: string }).stderr}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const CPU = 'dovekeeper_backend_cpu_cores';
const MEMORY = 'dovekeeper_backend_memory_bytes';
const of = (metric: string, host: string, site = 'north', more = ''): string =>
  `${metric}{site="${site}",host="${host}"${more}}`;

it('a load figure is its mean over the last minute, one for each Backend of each site', async () => {
  const query = 'dovekeeper:backend_cpu_cores:avg1m';
  const series = {
    // five samples lie within a minute of the tenth one
    [of(CPU, 'mail1')]: '9x35 1 2 3 4 5',
    [of(CPU, 'mail1', 'south')]: '7x40',
    [`${CPU}{site="north"}`]: '99x40',
  };
  const wanted = [
    { labels: of(query, 'mail1'), value: 3 },
    { labels: of(query, 'mail1', 'south'), value: 7 },
  ];
  expect(await play(series, query, wanted)).toBe('as wanted');
});

it('a Backend that two exporters measure is one, with the higher figure', async () => {
  const query = 'dovekeeper:backend_memory_bytes:avg1m';
  const series = {
    [of(MEMORY, 'mail1', 'north', ',job="a"')]: '100x40',
    [of(MEMORY, 'mail1', 'north', ',job="b"')]: '300x40',
  };
  expect(await play(series, query, [{ labels: of(query, 'mail1'), value: 300 }])).toBe('as wanted');
});

it('samples are counted over a day, and only those that were there', async () => {
  const query = 'dovekeeper:backend_load:samples1d';
  const series = { [of(CPU, 'mail1')]: '1x40', [of(CPU, 'mail2')]: '_x30 1x10' };
  const wanted = [
    { labels: of(query, 'mail1'), value: 41 },
    { labels: of(query, 'mail2'), value: 11 },
  ];
  expect(await play(series, query, wanted)).toBe('as wanted');
});

it('scores are distances from the mean of the own site; without spread there are none', async () => {
  const query = 'dovecot_cluster:host:zscore';
  const series = {
    [of(MEMORY, 'mail1')]: '100x40',
    [of(MEMORY, 'mail2')]: '300x40',
    [of(MEMORY, 'mail1', 'south')]: '500x40',
    [of(MEMORY, 'mail2', 'south')]: '500x40',
    [of(CPU, 'mail1')]: '2x40',
    [of(CPU, 'mail2')]: '1x40',
  };
  const score = (host: string, name: string): string =>
    of(query, host, 'north', `,score="${name}"`);
  const wanted = [
    { labels: score('mail1', 'memused'), value: -1 },
    { labels: score('mail2', 'memused'), value: 1 },
    { labels: score('mail1', 'cpu'), value: 1 },
    { labels: score('mail2', 'cpu'), value: -1 },
  ];
  expect(await play(series, query, wanted)).toBe('as wanted');
});
