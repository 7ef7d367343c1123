/** What a site costs while nothing happens: worker, API and Temporal, without any traffic. */
import { NORTH_ONLY, openBenchLab } from '../bench-lab.ts';
import { quantile, spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';
import { addUsages, describeUsage, percentOfCore, type Usage } from '../usage-by-part.ts';

/** So long in all, in as many pieces as there are runs. */
const MEASURED_SECS = 300;
/** After the start everything is busy for a while: compilers, caches, first runs of the tasks. */
const SETTLE_SECS = 60;
const MOST_PERCENT = 8;
const MOST_WORKER_MIB = 400;
const USERS = 2_000;

/** The defaults of the product; the lab has shorter ones, so that one can watch. */
const PRODUCT_INTERVALS = {
  REBALANCE_SITES_INTERVAL_SECS: '60',
  CHECK_BACKEND_HEALTH_INTERVAL_SECS: '60',
  EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: '60',
  CHECK_SITE_REACHABILITY_INTERVAL_SECS: '60',
};
const BOTH_SITES = [
  'infra',
  'mail',
  'worker-north',
  'api-north',
  'worker-south',
  'api-south',
] as const;

export const idleTable: BenchTable = {
  name: 'idle',
  question:
    'What do worker, API and Temporal of a site cost while nobody logs in and nothing fails? Tasks ' +
    'at their default intervals (5 s and 60 s); beside it both sites, and the intervals of the lab ' +
    '(5 s and 10 s). The floor is the same processes with every task paused.',
  run,
};

interface Setting {
  readonly what: string;
  readonly parts: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  readonly isPaused: boolean;
}

const ONE_SITE = 'one site, default intervals';

const SETTINGS: readonly Setting[] = [
  { what: ONE_SITE, parts: NORTH_ONLY, settings: PRODUCT_INTERVALS, isPaused: false },
  {
    what: 'the same, every task paused (floor)',
    parts: NORTH_ONLY,
    settings: PRODUCT_INTERVALS,
    isPaused: true,
  },
  { what: 'one site, intervals of the lab', parts: NORTH_ONLY, settings: {}, isPaused: false },
  {
    what: 'both sites, default intervals',
    parts: BOTH_SITES,
    settings: PRODUCT_INTERVALS,
    isPaused: false,
  },
];

async function run(bench: Bench): Promise<Measured> {
  const rows: string[][] = [];
  const notes: string[] = [];
  for (const [index, setting] of SETTINGS.entries()) {
    const usages = await measure(bench, setting, index);
    rows.push(toCells(setting.what, usages));
    notes.push(`${setting.what}: ${describeUsage(addUsages(usages), 0.5)}.`);
    if (setting.what === ONE_SITE) judge(bench, usages);
  }
  return {
    columns: [
      'what',
      'worker',
      'API',
      'Temporal',
      'in sum, % of a core',
      'worker MiB',
      'API MiB',
      'Temporal MiB',
    ],
    rows,
    notes: [
      'CPU in per cent of one core. Where both sites run, worker and API are both sites together.',
      ...notes,
    ],
  };
}

const WORKERS = ['worker-north', 'worker-south'];
const APIS = ['api-north', 'api-south'];
const ALL = [...WORKERS, ...APIS, 'temporal'];

function judge({ figures }: Bench, usages: readonly Usage[]): void {
  const sum = quantile(
    usages.map((usage) => percentOfCore(usage, ALL)),
    0.5,
  );
  const memory = quantile(
    usages.map((usage) => memoryOf(usage, WORKERS)),
    0.5,
  );
  const what = 'worker, API and Temporal of one site in sum (aim 4)';
  figures.atMost('idle', what, sum, MOST_PERCENT, '% of a core');
  figures.atMost('idle', 'memory of the worker', memory, MOST_WORKER_MIB, 'MiB');
}

function toCells(what: string, usages: readonly Usage[]): string[] {
  const cpu = (names: readonly string[]): string =>
    spread(usages.map((usage) => percentOfCore(usage, names)));
  const memory = (names: readonly string[]): string =>
    spread(
      usages.map((usage) => memoryOf(usage, names)),
      0,
    );
  return [
    what,
    cpu(WORKERS),
    cpu(APIS),
    cpu(['temporal']),
    cpu(ALL),
    memory(WORKERS),
    memory(APIS),
    memory(['temporal']),
  ];
}

const memoryOf = ({ parts }: Usage, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + (parts.get(name)?.memoryMib ?? 0), 0);

async function measure(bench: Bench, setting: Setting, index: number): Promise<Usage[]> {
  const { what, parts, settings, isPaused } = setting;
  const stateDir = `${bench.stateDir}/idle-${index}`;
  const bed = await openBenchLab({ ...bench, stateDir }, { parts, labUsers: USERS, settings });
  try {
    if (isPaused) await bed.pauseTasks();
    await waitSecs(SETTLE_SECS * bench.scale);
    const usages: Usage[] = [];
    for (let turn = 1; turn <= bench.runs; turn += 1) {
      bed.usage.take();
      await waitSecs((MEASURED_SECS * bench.scale) / bench.runs);
      usages.push(bed.usage.take());
    }
    const sum = spread(usages.map((usage) => percentOfCore(usage, ALL)));
    bench.print(`  ${what}: ${sum} % of a core`);
    return usages;
  } finally {
    await bed.close();
  }
}

const waitSecs = (secs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, secs * 1000));
