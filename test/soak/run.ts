/** One run: traffic, faults and an operator; then nothing of it, until all is calm; then the verdict. */
import { readFileSync } from 'node:fs';
import { auditMail } from '../../lab/mail/audit-mail.ts';
import { awaitDeliveries, markTraffic, readTraffic } from '../system/traffic-control.ts';
import { gatherBooks } from './gather.ts';
import { judge } from './invariants/judge.ts';
import { startNemesis } from './nemesis.ts';
import { startOperator } from './operator.ts';
import type { RunPlan } from './plan.ts';
import type { Leftovers, RunRecord, Violation } from './record.ts';
import { settle } from './settle.ts';
import { CONTROLLERS } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';
import { readClosedBackends, startWatch, type Watch } from './watch.ts';

/** From the last fault taken back: moves, recovery and whatever was held come to their end. */
const CALM_MS = 240_000;
/** A login answered from memory may have led to a former home: its Backend looks for those now and then. */
const STRANGERS_MS = 40_000;
/** On a busy machine Cassandra is slow, before anything is broken. */
const FIRST_LOOK_MS = 90_000;

export interface RunOutcome {
  readonly record: RunRecord;
  readonly violations: readonly Violation[];
  readonly logins: { readonly attempts: number; readonly failedShare: number };
}

export async function runPlan(rig: SoakRig, plan: RunPlan): Promise<RunOutcome> {
  const watch = startWatch(rig);
  const usersAtStart = await firstCount(watch);
  const startedAtMs = Date.now();
  const deaths = countDeaths(rig);
  await markTraffic(rig.settings);
  const nemesis = startNemesis(rig, plan.faults);
  const operator = startOperator(rig, plan.actions);
  await new Promise((resolve) => setTimeout(resolve, plan.seconds * 1000));
  await operator.stop();
  await nemesis.takeAllBack();
  const healedAtMs = Date.now();
  const { sinceMark } = await readTraffic(rig.settings);
  rig.print(`  faults taken back after ${Math.round((healedAtMs - startedAtMs) / 1000)} s`);
  const { calmAtMs, unrest } = await settle(rig, CALM_MS);
  rig.print(`  calm after ${Math.round((Date.now() - healedAtMs) / 1000)} s`);
  const leftovers = await findLeftovers(rig, deaths, nemesis.records, startedAtMs);
  await watch.stop();
  const mail = await findMail(rig, startedAtMs);
  const books = await gatherBooks(rig, startedAtMs);
  const { policy, hosts, observer } = rig;
  const record: RunRecord = {
    startedAtMs,
    healedAtMs,
    calmAtMs,
    unrest,
    usersAtStart,
    limits: {
      maxParallelMoves: policy.maxParallelMoves,
      maxParallelInflow: policy.maxParallelInflow,
      failureCoolTimeSecs: policy.failureCoolTimeSecs,
      balanceCoolTimeSecs: policy.loadBalanceMinCoolTimeSecs,
      cycleSecs: rig.cycleSecs,
    },
    hosts,
    looks: watch.looks,
    changes: watch.changes,
    doubles: observer.doubles.filter(({ sinceMs }) => sinceMs >= startedAtMs),
    ...books,
    faults: nemesis.records,
    actions: operator.records,
    mail,
    leftovers,
  };
  return { record, violations: judge(record), logins: sinceMark.logins };
}

async function firstCount({ looks }: Watch): Promise<number> {
  const endMs = Date.now() + FIRST_LOOK_MS;
  for (;;) {
    const first = looks.find(({ cluster }) => cluster !== null)?.cluster;
    if (first !== undefined && first !== null) return first.totalUsers;
    if (Date.now() > endMs) throw new Error('the GeoDB does not answer at the start of a run');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function findMail(rig: SoakRig, sinceMs: number) {
  await awaitDeliveries(rig.settings).catch(() => undefined);
  const audit = await auditMail(rig.settings, { sinceMs, backends: [] });
  const { accepted, lost, unexplainedDoubles, unread } = audit;
  return { accepted, lost, unexplainedDoubles, unread };
}

type Deaths = ReadonlyMap<string, number>;

const countDeaths = ({ lab }: SoakRig): Deaths =>
  new Map(lab.status().map(({ name, restarts }) => [name, restarts]));

/** Given a while to go away by themselves. */
async function findLeftovers(
  rig: SoakRig,
  before: Deaths,
  faults: RunRecord['faults'],
  sinceMs: number,
): Promise<Leftovers> {
  const endMs = Date.now() + STRANGERS_MS;
  for (;;) {
    const [strangers, movingUsers] = await findStrangers(rig);
    const chunks = await Promise.all(
      ['north', 'south'].map((site) => rig.direct.store.readChunksInFlight(site)),
    );
    const chunksInFlight = chunks
      .flat()
      .map(({ operationId, chunk, remaining }) => `${operationId} ${chunk}: ${remaining}`);
    const closedBackends = await readClosedBackends(rig);
    const passing = [strangers, movingUsers, chunksInFlight, closedBackends];
    const isClean = passing.every((list) => list.length === 0);
    if (isClean || Date.now() > endMs) {
      return {
        ...{ strangers, movingUsers, chunksInFlight, closedBackends },
        diedAlone: diedAlone(rig, before, faults),
        brokenWorkflows: brokenWorkflows(rig, sinceMs),
      };
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** Sessions on a Backend where their user does not live, and users whose move never ended. */
async function findStrangers(rig: SoakRig): Promise<[string[], string[]]> {
  const homes = new Map<string, string>();
  const moving: string[] = [];
  const query = `SELECT username, backend_id, moving FROM ${rig.settings.geodb.keyspace}.users`;
  for await (const row of await rig.geodb.execute(query)) {
    const user = String(row['username']);
    homes.set(user, rig.hosts.get(String(row['backend_id'])) ?? '');
    if (row['moving'] !== null) moving.push(user);
  }
  const sessions = rig.observer.latest()?.sessions ?? new Map<string, ReadonlySet<string>>();
  const strangers = [...sessions].flatMap(([host, users]) =>
    [...users].filter((user) => homes.get(user) !== host).map((user) => `${user} on ${host}`),
  );
  return [strangers, moving];
}

/** A part that the supervisor had to start again although nobody had killed it. */
function diedAlone(rig: SoakRig, before: Deaths, faults: RunRecord['faults']): string[] {
  return rig.lab.status().flatMap(({ name, restarts }) => {
    const times = restarts - (before.get(name) ?? 0);
    const killings = faults.filter(
      ({ kind, on }) =>
        (on === name && ['kill', 'down', 'stop'].includes(kind)) ||
        (kind === 'backendKill' && (on === name || `${on}-cluster` === name)),
    );
    return times > killings.length ? [`${name}: started again ${times} times`] : [];
  });
}

const BROKEN = /[Nn]ondeterminism|TMPRL1100|AssertionError|assertion failed|Unhandled|uncaught/;

function brokenWorkflows(rig: SoakRig, sinceMs: number): string[] {
  return CONTROLLERS.flatMap((part) =>
    readFileSync(rig.lab.logFileOf(part), 'utf8')
      .split('\n')
      .filter((line) => BROKEN.test(line) && isSince(line, sinceMs))
      .map((line) => `${part}: ${line.slice(0, 300)}`),
  );
}

function isSince(line: string, sinceMs: number): boolean {
  const time = /"time":("?)([^",}]+)\1/.exec(line)?.[2];
  if (time === undefined) return false;
  const atMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time);
  return atMs >= sinceMs;
}
