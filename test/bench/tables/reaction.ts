/** How long users of a failed Backend wait: from the fault until the first of them is safe, and where the seconds go. */
import {
  freezeBackends,
  killBackends,
  restoreBackends,
  setFault,
} from '../../../lab/mail/faults.ts';
import { hostsOf } from '../../../lab/mail/hosts.mjs';
import { placeUsers } from '../../../lab/mail/place-users.ts';
import { createPrometheus } from '../../../gateways/prometheus/http-prometheus.ts';
import { readConfig, type Config } from '../../../platform/config.ts';
import { createLogger } from '../../../platform/logger.ts';
import { createMetrics } from '../../../platform/metrics.ts';
import { lookBacksOf } from '../../../workflows/domain/policy-settings.ts';
import { assessHealth } from '../../../workflows/policy/assess-health.ts';
import { eventually } from '../../support/eventually.ts';
import type { OperationView } from '../../system/site-api.ts';
import { openBackend, openBenchLab, type BenchLab } from '../bench-lab.ts';
import { quantile, spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';
import { seededRandom } from '../../simulation/random.ts';
import { addUsages, describeUsage, type Usage } from '../usage-by-part.ts';

const USERS = 2_000;
const TRIALS = 10;
const FREEZE_TRIALS = 5;
const LONGEST_SECS = 20;
const SEED = 4;
const PATIENCE_MS = 180_000;
const POLL_MS = 250;
/** As long as the longest of the cycles that a fault can fall into. */
const PHASE_MS = 10_000;

export const reactionTable: BenchTable = {
  name: 'reaction',
  question:
    'How long after a fault is the first user confirmed on another Backend, with the look-backs of ' +
    'the lab (10 s for critical)? Faults come at random moments of the cycle. Beside it the same ' +
    'decision made only when its period comes round, and the floor: the look-back alone.',
  run,
};

type Fault = 'deny' | 'kill' | 'freeze';

/** Seconds after the fault. */
interface Trial {
  readonly critical: number;
  readonly decided: number;
  readonly begun: number;
  readonly first: number;
}

async function run(bench: Bench): Promise<Measured> {
  const bed = await openBenchLab(bench, { labUsers: USERS });
  const random = seededRandom(SEED);
  const usages: Usage[] = [];
  try {
    const watch = watchVerdicts(bed);
    const rows: string[][] = [];
    const trials = (full: number): number => Math.max(1, Math.round(full * bench.scale));
    const plan = { bench, bed, watch, random, usages };
    for (const fault of ['deny', 'kill', 'freeze'] as const) {
      const count = trials(fault === 'freeze' ? FREEZE_TRIALS : TRIALS);
      const measured = await measure(plan, fault, count);
      rows.push(toCells(fault, measured), alternative(fault, measured, watch.config));
      judge(bench, fault, measured);
    }
    return {
      columns: [
        'fault',
        'trials',
        'critical in Prometheus',
        'decided',
        'operation begun',
        'first user confirmed',
        'p95',
      ],
      rows,
      notes: [
        'Seconds after the fault. Kill closes the ports at once; deny refuses every login and delivery; ' +
          'a frozen Backend fails nobody before the proxy gives a login up (5 s).',
        `"only on its period" is reckoned: the same trials with the decision at the next full period of ` +
          `${watch.config.intervals.check_backend_health} s (each moment of it as likely) in place of the wake-up.`,
        `Floor: 90 % of the attempts in a look-back of ${watch.config.policy.failureCriticalWindowSecs} s ` +
          'have to have failed, so that no verdict can come sooner than nine tenths of it.',
        `Phases drawn from seed ${SEED}. While the trials ran: ${describeUsage(addUsages(usages))}.`,
      ],
    };
  } finally {
    await bed.close();
  }
}

function judge({ figures }: Bench, fault: Fault, trials: readonly Trial[]): void {
  const p95 = quantile(
    trials.map(({ first }) => first),
    0.95,
  );
  const name = `${fault}: first user confirmed, p95 of ${trials.length}`;
  if (fault === 'freeze') figures.state('reaction', name, `${p95.toFixed(1)} s`);
  else figures.atMost('reaction', `${name} (aim 13)`, p95, LONGEST_SECS, 's');
}

function toCells(fault: string, trials: readonly Trial[]): string[] {
  const column = (of: (trial: Trial) => number): string => spread(trials.map(of));
  return [
    fault,
    String(trials.length),
    column(({ critical }) => critical),
    column(({ decided }) => decided),
    column(({ begun }) => begun),
    column(({ first }) => first),
    quantile(
      trials.map(({ first }) => first),
      0.95,
    ).toFixed(1),
  ];
}

/** Every trial at ten moments of the period. */
function alternative(fault: string, trials: readonly Trial[], config: Config): string[] {
  const period = config.intervals.check_backend_health;
  const waits = Array.from({ length: 10 }, (_, index) => ((index + 0.5) * period) / 10);
  const waiting = trials.flatMap((trial) =>
    waits.map((wait): Trial => {
      const late = trial.critical + wait - trial.decided;
      const { critical, decided, begun, first } = trial;
      return { critical, decided: decided + late, begun: begun + late, first: first + late };
    }),
  );
  const [, , ...cells] = toCells(fault, waiting);
  return [`${fault}, only on its period`, '-', ...cells];
}

// --- trials -------------------------------------------------------------------------------------

interface Plan {
  readonly bench: Bench;
  readonly bed: BenchLab;
  readonly watch: VerdictWatch;
  readonly random: () => number;
  readonly usages: Usage[];
}

async function measure(plan: Plan, fault: Fault, count: number): Promise<Trial[]> {
  const { bench, bed, random, usages } = plan;
  const hosts = hostsOf(bed.lab.net)
    .filter(({ role, site }) => role === 'backend' && site === 'north')
    .map(({ name }) => name);
  const trials: Trial[] = [];
  for (let index = 0; index < count; index += 1) {
    const host = hosts[index % hosts.length] ?? '';
    await awaitRest(bed);
    await new Promise((resolve) => setTimeout(resolve, random() * PHASE_MS));
    bed.usage.take();
    const trial = await tryOnce(plan, fault, host);
    usages.push(bed.usage.take());
    trials.push(trial);
    const { critical, decided, begun, first } = trial;
    const times = [critical, decided, begun, first].map((secs) => secs.toFixed(1)).join(', ');
    bench.print(`  ${fault} ${host}: critical, decided, begun, first after ${times} s`);
  }
  return trials;
}

async function tryOnce({ bed, watch }: Plan, fault: Fault, host: string): Promise<Trial> {
  const { api, settings } = bed;
  const atMs = Date.now();
  if (fault === 'deny') setFault(settings, [host], 'deny', 100);
  else if (fault === 'kill') await killBackends(settings, [host]);
  else await freezeBackends(settings, [host]);
  const stopWatching = watch.start(host);
  const options = { timeoutMs: PATIENCE_MS, intervalMs: POLL_MS };
  const hasMoved = async (): Promise<OperationView | false> => {
    const operations = await api.readOperations();
    const found = operations.find((one) => one.sourceHost === host && one.createdAtMs >= atMs);
    return found !== undefined && found.firstConfirmedAtMs !== null ? found : false;
  };
  const operation = await eventually(`somebody is moved off ${host}`, hasMoved, options);
  const criticalAtMs = stopWatching();
  const decisions = await api.readDecisionsSince(atMs);
  const decision = decisions.find(({ decisionId }) => decisionId === operation.decisionId);
  await eventually(
    `${host} is empty`,
    async () => (await api.readOperation(operation.operationId)).isEnded,
    options,
  );
  await restoreBackends(settings, [host]);
  const secs = (ms: number | null | undefined): number => ((ms ?? Number.NaN) - atMs) / 1000;
  return {
    critical: secs(criticalAtMs),
    decided: secs(decision?.recordedAtMs),
    begun: secs(operation.startedAtMs),
    first: secs(operation.firstConfirmedAtMs),
  };
}

/** Everybody online, judged healthy and with users of his own, without waiting for what returns by itself. */
async function awaitRest(bed: BenchLab): Promise<void> {
  const { api, settings, geodb } = bed;
  const options = { timeoutMs: PATIENCE_MS, intervalMs: 500 };
  const read = async () => (await api.readOverview()).backends;
  await eventually(
    'every doveadm answers',
    async () => {
      const offline = (await read()).filter(({ status }) => status !== 'online');
      for (const { host } of offline) await openBackend(bed, host);
      return offline.length === 0;
    },
    options,
  );
  await eventually(
    'users are spread evenly',
    () =>
      placeUsers(settings, geodb, null).then(
        () => true,
        () => false as const,
      ),
    options,
  );
  await eventually(
    'every Backend is healthy',
    async () => {
      const { backends, operations } = await api.readOverview();
      return operations.length === 0 && backends.every(({ verdict }) => verdict === 'healthy');
    },
    options,
  );
}

interface VerdictWatch {
  readonly config: Config;
  /** Looks until stopped; the answer is when the Backend was first critical by the metrics. */
  start(host: string): () => number | null;
}

/** Reads the metrics as the controller does, twice a second. */
function watchVerdicts(bed: BenchLab): VerdictWatch {
  const config = readConfig(bed.lab.environmentOf('north'));
  const logger = createLogger({ level: 'silent', role: 'worker', site: 'north' });
  const prometheus = createPrometheus(config.prometheus, logger, createMetrics());
  const query = {
    siteName: 'north',
    proxiesExpected: config.proxyHosts.length,
    windowsSecs: lookBacksOf(config.policy),
    maxAgeSecs: config.policy.metricsMaxAgeSecs,
    minProxyShare: config.policy.metricsMinProxyShare,
  };
  return {
    config,
    start(host) {
      let criticalAtMs: number | null = null;
      let isStopped = false;
      const look = async (): Promise<void> => {
        while (!isStopped && criticalAtMs === null) {
          const startedAtMs = Date.now();
          const { attempts } = await prometheus.readSiteMetrics(query);
          const { verdict } = assessHealth(attempts[host] ?? [], config.policy);
          if (verdict === 'critical') criticalAtMs = startedAtMs;
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
      };
      void look();
      return () => {
        isStopped = true;
        return criticalAtMs;
      };
    },
  };
}
