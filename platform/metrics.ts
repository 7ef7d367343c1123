/**
 * Every metric of Dovekeeper. Labels are bounded: sites, Backends, tasks, codes; never a user.
 * One registry a process, in OpenMetrics.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';
import type { HealthVerdict } from '../workflows/domain/cluster-snapshot.ts';
import { HEALTH_VERDICTS } from '../workflows/domain/cluster-snapshot.ts';
import type { Decision, TaskName } from '../workflows/domain/decision.ts';
import type { OperationCause, OperationKind } from '../workflows/domain/operation.ts';

const TASK_BUCKETS_SECS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const GATEWAY_BUCKETS_SECS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15];

export type MoveOutcome = 'confirmed' | 'skipped' | 'failed' | 'forced';

export interface Metrics {
  readonly registry: Registry<OpenMetricsContentType>;
  readonly contentType: string;
  render(): Promise<string>;
  /** Counts a decision once, with `repeats` for equal ones that were counted together. */
  countDecision(decision: Pick<Decision, 'task' | 'kind' | 'reason' | 'isDryRun'>): void;
  /** Users whose move ended. */
  countMoves(kind: OperationKind, cause: OperationCause, outcome: MoveOutcome, users: number): void;
  /** One run of a task; a successful one also sets the age of the last success to 0. */
  observeTask(
    task: TaskName,
    outcome: 'success' | 'failure',
    durationMs: number,
    /** What the run did, by name and count. */
    outcomes?: Readonly<Record<string, number>>,
  ): void;
  /** For a process that knows of successes elsewhere (from the controller store). */
  setTaskSuccess(task: TaskName, succeededAtMs: number): void;
  setVerdict(backendHost: string, verdict: HealthVerdict): void;
  /** A Backend that left the site is exported no longer. */
  forgetBackend(backendHost: string): void;
  /** `code` null: the call succeeded. */
  observeGateway(system: string, operation: string, durationMs: number, code: string | null): void;
}

/** At the library's 10 ms it woke an idle process a hundred times a second: 0.7 % of a core, in place of 0.1. */
const EVENT_LOOP_SAMPLE_MS = 100;

/** `isDefaultIncluded`: also figures of the Node process itself. */
export function createMetrics(options: { isDefaultIncluded?: boolean } = {}): Metrics {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  if (options.isDefaultIncluded ?? true) {
    collectDefaultMetrics({
      register: registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS,
    });
  }
  return {
    registry,
    contentType: registry.contentType,
    render: () => registry.metrics(),
    ...decisionMetrics(registry),
    ...taskMetrics(registry),
    ...backendMetrics(registry),
    ...gatewayMetrics(registry),
  };
}

type InRegistry = Registry<OpenMetricsContentType>;

function decisionMetrics(registry: InRegistry): Pick<Metrics, 'countDecision' | 'countMoves'> {
  const decisions = new Counter({
    name: 'dovekeeper_decisions_total',
    help: 'Decisions, also "nothing, because ...".',
    labelNames: ['task', 'kind', 'reason', 'dry_run'],
    registers: [registry],
  });
  const moves = new Counter({
    name: 'dovekeeper_user_moves_total',
    help: 'User moves that ended.',
    labelNames: ['kind', 'cause', 'outcome'],
    registers: [registry],
  });
  return {
    countDecision: ({ task, kind, reason, isDryRun }) =>
      decisions.inc({ task, kind, reason, dry_run: String(isDryRun) }),
    countMoves: (kind, cause, outcome, users) => {
      if (users > 0) moves.inc({ kind, cause, outcome }, users);
    },
  };
}

function taskMetrics(registry: InRegistry): Pick<Metrics, 'observeTask' | 'setTaskSuccess'> {
  const lastSuccessMs = new Map<TaskName, number>();
  const duration = new Histogram({
    name: 'dovekeeper_task_duration_seconds',
    help: 'Duration of runs of a task.',
    labelNames: ['task', 'outcome'],
    buckets: TASK_BUCKETS_SECS,
    registers: [registry],
  });
  new Gauge({
    name: 'dovekeeper_task_last_success_age_seconds',
    help: 'Seconds since a task last succeeded, as far as this process knows.',
    labelNames: ['task'],
    registers: [registry],
    collect() {
      for (const [task, atMs] of lastSuccessMs) {
        this.set({ task }, Math.max(0, Date.now() - atMs) / 1000);
      }
    },
  });
  const results = new Counter({
    name: 'dovekeeper_task_outcomes_total',
    help: 'What the runs of a task did.',
    labelNames: ['task', 'outcome'],
    registers: [registry],
  });
  const setTaskSuccess = (task: TaskName, succeededAtMs: number): void => {
    lastSuccessMs.set(task, Math.max(succeededAtMs, lastSuccessMs.get(task) ?? 0));
  };
  return {
    setTaskSuccess,
    observeTask: (task, outcome, durationMs, outcomes = {}) => {
      duration.observe({ task, outcome }, durationMs / 1000);
      for (const [name, many] of Object.entries(outcomes)) {
        if (many > 0) results.inc({ task, outcome: name }, many);
      }
      if (outcome === 'success') setTaskSuccess(task, Date.now());
    },
  };
}

function backendMetrics(registry: InRegistry): Pick<Metrics, 'setVerdict' | 'forgetBackend'> {
  const verdicts = new Gauge({
    name: 'dovekeeper_backend_verdict',
    help: '1 for the present health verdict of a Backend, 0 for the others.',
    labelNames: ['backend', 'verdict'],
    registers: [registry],
  });
  return {
    setVerdict: (backend, verdict) => {
      for (const one of HEALTH_VERDICTS) {
        verdicts.set({ backend, verdict: one }, one === verdict ? 1 : 0);
      }
    },
    forgetBackend: (backend) => {
      for (const verdict of HEALTH_VERDICTS) verdicts.remove({ backend, verdict });
    },
  };
}

function gatewayMetrics(registry: InRegistry): Pick<Metrics, 'observeGateway'> {
  const duration = new Histogram({
    name: 'dovekeeper_gateway_duration_seconds',
    help: 'Duration of calls to outside systems.',
    labelNames: ['system', 'operation'],
    buckets: GATEWAY_BUCKETS_SECS,
    registers: [registry],
  });
  const errors = new Counter({
    name: 'dovekeeper_gateway_errors_total',
    help: 'Failed calls to outside systems.',
    labelNames: ['system', 'operation', 'code'],
    registers: [registry],
  });
  return {
    observeGateway: (system, operation, durationMs, code) => {
      duration.observe({ system, operation }, durationMs / 1000);
      if (code !== null) errors.inc({ system, operation, code });
    },
  };
}
