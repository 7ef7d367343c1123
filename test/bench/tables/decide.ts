/** How long each policy thinks, in process: 500 Backends beside 50, and beside reading the same snapshot as JSON. */
import type { BackendFacts, ClusterSnapshot } from '../../../workflows/domain/cluster-snapshot.ts';
import { decideBackendHealth } from '../../../workflows/policy/decide-backend-health.ts';
import { decideDrains } from '../../../workflows/policy/decide-drains.ts';
import { decideFollowUp } from '../../../workflows/policy/decide-follow-ups.ts';
import { planRebalance } from '../../../workflows/policy/plan-rebalance.ts';
import { selectTargets } from '../../../workflows/policy/select-targets.ts';
import {
  aBackend,
  aMemory,
  anOperation,
  aSnapshot,
  failing,
  NOW_MS,
  serving,
  silent,
  struggling,
} from '../../support/cluster-builders.ts';
import { aChunkInFlight, aRow } from '../../support/move-builders.ts';
import { seededRandom, type Random } from '../../simulation/random.ts';
import { quantile, spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';

const MANY = 500;
const FEW = 50;
const SEED = 42;
/** Decisions of one run, after as many that only warm it up. */
const DECISIONS = 300;
const LIMIT_MS = 100;

export const decide: BenchTable = {
  name: 'decide',
  question: `How long does each policy think about a site of ${MANY} Backends?`,
  run: (bench) => Promise.resolve(measureAll(bench)),
};

interface Row {
  readonly name: string;
  readonly many: () => unknown;
  readonly few: () => unknown;
  /** The same snapshot as stored; null: this policy has none. */
  readonly text: string | null;
}

function measureAll(bench: Bench): Measured {
  const rows = rowsOf();
  let slowest = { name: '', p99: 0 };
  const cells = rows.map((row) => {
    const many = measure(row.many, bench.runs);
    const few = measure(row.few, bench.runs);
    const { text } = row;
    const parse = text === null ? null : measure(() => JSON.parse(text) as unknown, bench.runs);
    const p99 = quantile(many.p99, 0.5);
    if (p99 > slowest.p99) slowest = { name: row.name, p99 };
    bench.print(`${row.name}: p99 ${p99.toFixed(2)} ms`);
    const p50AndP99 = (one: Timing): string[] => [spread(one.p50, 2), spread(one.p99, 2)];
    return [row.name, ...p50AndP99(many), ...p50AndP99(few), parse ? spread(parse.p50, 2) : '-'];
  });
  bench.figures.atMost(
    'C6',
    `p99 of the slowest policy (${slowest.name})`,
    slowest.p99,
    LIMIT_MS,
    'ms',
  );
  const columns = ['policy'];
  for (const size of [MANY, FEW]) columns.push(`${size}: p50, ms`, `${size}: p99, ms`);
  columns.push(`JSON.parse of the ${MANY}: p50, ms`);
  const notes = [
    `In process, one thread, no I/O: ${DECISIONS} decisions a run after as many to warm up, seed ${SEED}.`,
    'Beside each policy: the same on a tenth of the Backends, and reading its snapshot as JSON, which every task does once before.',
  ];
  return { columns, rows: cells, notes };
}

interface Timing {
  readonly p50: readonly number[];
  readonly p99: readonly number[];
}

function measure(work: () => unknown, runs: number): Timing {
  const p50: number[] = [];
  const p99: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    for (let warm = 0; warm < DECISIONS; warm += 1) work();
    const tookMs: number[] = [];
    for (let time = 0; time < DECISIONS; time += 1) {
      const startedAt = performance.now();
      work();
      tookMs.push(performance.now() - startedAt);
    }
    p50.push(quantile(tookMs, 0.5));
    p99.push(quantile(tookMs, 0.99));
  }
  return { p50, p99 };
}

function rowsOf(): Row[] {
  const overSnapshot = (
    name: string,
    policy: (snapshot: ClusterSnapshot) => unknown,
    site: (backends: number) => ClusterSnapshot,
  ): Row => {
    const [many, few] = [site(MANY), site(FEW)];
    return {
      name,
      many: () => policy(many),
      few: () => policy(few),
      text: JSON.stringify(many),
    };
  };
  return [
    overSnapshot('check_backend_health, all healthy', decideBackendHealth, healthySite),
    overSnapshot('check_backend_health, of every kind', decideBackendHealth, mixedSite),
    overSnapshot('check_backend_health, catastrophe', decideBackendHealth, failingSite),
    overSnapshot('rebalance_sites', planRebalance, healthySite),
    overSnapshot('rebalance_sites, of every kind', planRebalance, mixedSite),
    overSnapshot('evacuate_zero_load_factor_hosts', decideDrains, mixedSite),
    { name: 'check_user_moves', many: followUps(MANY), few: followUps(FEW), text: null },
    { name: 'targets of one round', many: targets(MANY), few: targets(FEW), text: null },
  ];
}

function site(backends: number, factsOf: (random: Random) => Partial<BackendFacts>) {
  const random = seededRandom(SEED);
  return aSnapshot({
    backends: Array.from({ length: backends }, (_, index) => {
      const host = `mail${String(index + 1).padStart(3, '0')}`;
      const level = 1 + random();
      const load = { cpu: level, memoryBytes: level * 1e9, metacacheBytes: level * 1e8 };
      const memory = aMemory({ backendId: `id-${host}` });
      const common = { host, id: `id-${host}`, memory, userCount: Math.round(2_000 * level) };
      return aBackend({ load: { ...load, samples: 5_000 }, ...common, ...factsOf(random) });
    }),
  });
}

const healthySite = (backends: number) => site(backends, () => ({ attempts: serving }));
const failingSite = (backends: number) => site(backends, () => ({ attempts: failing }));

/** A third of them in trouble of some kind: evacuated, degraded, silent, drained, offline. */
const mixedSite = (backends: number) =>
  site(backends, (random): Partial<BackendFacts> => {
    const kinds: readonly Partial<BackendFacts>[] = [
      { attempts: failing },
      { attempts: failing, operation: anOperation() },
      { attempts: struggling },
      { attempts: silent },
      { loadFactor: 0 },
      { loadFactor: 0, operation: anOperation({ kind: 'drain', cause: 'drain' }) },
      { status: 'offline' },
      { isDoveadmReachable: false },
    ];
    return random() < 1 / 3 ? (kinds[Math.floor(random() * kinds.length)] ?? {}) : {};
  });

/** An open operation at every Backend, each with forty chunks on their way. */
function followUps(operations: number): () => unknown {
  const { settings } = aSnapshot();
  const chunks = Array.from({ length: 40 }, (_, chunk) =>
    aChunkInFlight({ chunk, sentAtMs: NOW_MS - 1_000 * chunk }),
  );
  const open = Array.from({ length: operations }, (_, index) => ({
    operation: aRow({ operationId: `operation-${index}` }),
    isMoverRunning: true,
    chunks,
  }));
  return () => open.map((each) => decideFollowUp(each, settings, NOW_MS));
}

function targets(backends: number): () => unknown {
  const candidates = mixedSite(backends).backends.map((facts) => ({
    backendId: facts.id,
    host: facts.host,
    status: facts.status,
    loadFactor: facts.loadFactor,
    verdict: facts.memory?.verdict ?? ('unknown' as const),
    isDoveadmReachable: facts.isDoveadmReachable,
    isBeingEmptied: facts.operation !== null,
    userCount: facts.userCount ?? 0,
    inflow: 0,
  }));
  const wish = { sourceId: 'id-mail001', targetIds: [], users: 10_000 };
  return () => selectTargets(candidates, wish);
}
