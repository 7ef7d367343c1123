/** Where the time of an operation went: its mover's activities from Temporal's history, its calls from the worker's metrics. */
import { Client, Connection } from '@temporalio/client';
import { moverIdOf } from '../../workflows/contract.ts';
import type { Lab } from '../../lab/parts/lab.mjs';

export interface StepTime {
  readonly count: number;
  /** Seconds in which at least one of them ran. */
  readonly secs: number;
}

/** By activity type, of all runs of that mover that began since then. */
export async function readMoverSteps(
  lab: Lab,
  host: string,
  sinceMs: number,
): Promise<Map<string, StepTime>> {
  const connection = await Connection.connect({ address: lab.addresses.temporal });
  try {
    const client = new Client({ connection });
    const workflowId = moverIdOf('north', host);
    const spans = new Map<string, Span[]>();
    for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      if (run.startTime.getTime() < sinceMs) continue;
      const history = await client.workflow.getHandle(workflowId, run.runId).fetchHistory();
      collectSpans(history.events ?? [], spans);
    }
    return new Map([...spans].map(([name, list]) => [name, unite(list)]));
  } finally {
    await connection.close();
  }
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

type Events = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>;

function collectSpans(events: Events, spans: Map<string, Span[]>): void {
  const scheduled = new Map<string, { name: string; atMs: number }>();
  for (const event of events) {
    const atMs = Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
    const begun = event.activityTaskScheduledEventAttributes;
    if (begun) {
      const name = begun.activityType?.name ?? 'unknown';
      scheduled.set(String(event.eventId), { name, atMs });
    }
    const id = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    const known = id === undefined ? undefined : scheduled.get(String(id));
    if (known === undefined) continue;
    const list = spans.get(known.name) ?? [];
    list.push({ fromMs: known.atMs, toMs: atMs });
    spans.set(known.name, list);
  }
}

function unite(spans: readonly Span[]): StepTime {
  let totalMs = 0;
  let endMs = 0;
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    totalMs += Math.max(0, toMs - Math.max(fromMs, endMs));
    endMs = Math.max(endMs, toMs);
  }
  return { count: spans.length, secs: totalMs / 1000 };
}

/** As `planRound 1.2 s (5), moveChunk 3.4 s (50)`, the longest first. */
export function describeSteps(steps: ReadonlyMap<string, StepTime>): string {
  return [...steps]
    .sort(([, a], [, b]) => b.secs - a.secs)
    .map(([name, { count, secs }]) => `${name} ${secs.toFixed(2)} s (${count})`)
    .join(', ');
}

export interface CallTotals {
  readonly count: number;
  readonly secs: number;
}

/** Calls of a worker to its neighbours since it started, by `system operation`. */
export async function readCalls(lab: Lab, site: string): Promise<Map<string, CallTotals>> {
  const address = lab.sites.find(({ name }) => name === site)?.workerMetrics ?? '';
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const calls = new Map<string, { count: number; secs: number }>();
  const line = /^dovekeeper_gateway_duration_seconds_(count|sum)\{([^}]*)\} (\S+)/gm;
  for (const [, kind, labels = '', value] of text.matchAll(line)) {
    const [, system = ''] = /system="([^"]*)"/.exec(labels) ?? [];
    const [, operation = ''] = /operation="([^"]*)"/.exec(labels) ?? [];
    const name = `${system} ${operation}`;
    const former = calls.get(name) ?? { count: 0, secs: 0 };
    if (kind === 'count') former.count += Number(value);
    else former.secs += Number(value);
    calls.set(name, former);
  }
  return calls;
}

/** Seldom calls are not what takes the time. */
const LEAST_SHARE = 0.02;

/** What was called in between, for each user that was moved; the most frequent first. */
export function describeCalls(
  before: ReadonlyMap<string, CallTotals>,
  after: ReadonlyMap<string, CallTotals>,
  users: number,
): string {
  return [...after]
    .map(([name, { count, secs }]) => {
      const former = before.get(name) ?? { count: 0, secs: 0 };
      return { name, count: count - former.count, secs: secs - former.secs };
    })
    .filter(({ count }) => count / users >= LEAST_SHARE)
    .sort((a, b) => b.count - a.count)
    .map(({ name, count, secs }) => {
      const each = ((1000 * secs) / count).toFixed(1);
      return `${name} ${(count / users).toFixed(2)} (${each} ms each)`;
    })
    .join(', ');
}
