/**
 * A2 and A3: one Backend fails; its users are moved to safety, it goes offline, and after `restore` it
 * comes back, all without a human, while mail flows.
 */
import {
  freezeBackends,
  killBackends,
  restoreBackends,
  setFault,
} from '../../../lab/mail/faults.ts';
import { readHomeChanges, changedTwice } from '../home-changes.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { DecisionView, Move, OperationView } from '../site-api.ts';
import { markTraffic } from '../traffic-control.ts';
import { measureMail, measureSessions } from './mail-safety.ts';

export type Fault = 'deny' | 'kill' | 'freeze';

export interface FailPlan {
  readonly fault: Fault;
  readonly site: string;
  readonly host: string;
  /** Seconds to go on looking after the Backend is back. */
  readonly watchSecs: number;
}

/** Limits in seconds after the fault, or after `restore`. */
const FIRST_USER: Readonly<Record<Fault, number>> = { deny: 30, kill: 30, freeze: 60 };
const EMPTY = 120;
const RETURN = 120;
const PATIENCE_MS = 180_000;
const OFFLINE_WATCH_MS = 8_000;
/** A session of a thawed Backend is ended by its cluster service, once that runs again. */
const THAWED_SESSIONS_MS = 5_000;

export async function failAndReturn(rig: LabRig, figures: Figures, plan: FailPlan): Promise<void> {
  const { host, fault } = plan;
  await rig.bringToRest();
  await markTraffic(rig.settings);
  const failedAtMs = Date.now();
  await breakBackend(rig, fault, host);
  rig.print(`${fault} ${host}`);
  const { observer } = rig;
  const wait = { sinceMs: failedAtMs, timeoutMs: PATIENCE_MS };
  const offline = await observer.waitFor(({ statuses }) => statuses?.get(host) === 'offline', wait);
  const empty = await observer.waitFor(({ users }) => isEmpty(users, host), {
    ...wait,
    timeoutMs: offline === null ? 0 : 5_000,
  });
  await new Promise((resolve) => setTimeout(resolve, OFFLINE_WATCH_MS));
  const restoredAtMs = Date.now();
  await restoreBackends(rig.settings, [host]);
  rig.print(`restore ${host}`);
  const online = await observer.waitFor(({ statuses }) => statuses?.get(host) === 'online', {
    sinceMs: restoredAtMs,
    timeoutMs: offline === null ? 10_000 : PATIENCE_MS,
  });
  await new Promise((resolve) => setTimeout(resolve, plan.watchSecs * 1000));
  const seen = await gather(rig, plan, failedAtMs);
  const name = `${fault} ${host}`;
  const secs = (atMs: number | null | undefined, fromMs: number): number | null =>
    atMs === null || atMs === undefined ? null : (atMs - fromMs) / 1000;
  const { evacuation, operation } = seen;
  const first = secs(operation?.firstConfirmedAtMs, failedAtMs);
  figures.atMost(
    'A2',
    `${name}: judged critical`,
    secs(evacuation?.recordedAtMs, failedAtMs),
    60,
    's',
  );
  figures.atMost('A2', `${name}: first user confirmed off`, first, FIRST_USER[fault], 's');
  figures.atMost('A2', `${name}: empty`, secs(empty?.atMs, failedAtMs), EMPTY, 's');
  figures.atMost('A2', `${name}: offline`, secs(offline?.atMs, failedAtMs), EMPTY, 's');
  figures.atMost('A2', `${name}: restore to online`, secs(online?.atMs, restoredAtMs), RETURN, 's');
  figures.state('A2', `${name}: seconds after the fault`, timelineOf(seen, failedAtMs));
  measureTouched(rig, figures, plan, seen);
  measureLedger(figures, name, seen);
  measureHomeChanges(rig, figures, name, seen);
  const watched = { name, host, sinceMs: failedAtMs };
  if (fault === 'freeze') measureThawed(rig, figures, plan, restoredAtMs);
  measureSessions(rig, figures, watched);
  await measureMail(rig, figures, watched);
}

export async function breakBackend(rig: LabRig, fault: Fault, host: string): Promise<void> {
  if (fault === 'deny') setFault(rig.settings, [host], 'deny', 100);
  else if (fault === 'kill') await killBackends(rig.settings, [host]);
  else await freezeBackends(rig.settings, [host]);
}

const isEmpty = (users: ReadonlyMap<string, number> | null, host: string): boolean =>
  users !== null && (users.get(host) ?? 0) === 0;

interface Seen {
  readonly sinceMs: number;
  /** Of the site of the Backend. */
  readonly own: readonly DecisionView[];
  readonly elsewhere: readonly DecisionView[];
  readonly evacuation: DecisionView | undefined;
  readonly operations: readonly OperationView[];
  readonly operation: OperationView | undefined;
  readonly ledger: readonly Move[];
}

async function gather(rig: LabRig, plan: FailPlan, sinceMs: number): Promise<Seen> {
  const others = rig.lab.sites.map(({ name }) => name).filter((name) => name !== plan.site);
  const api = rig.api(plan.site);
  const [own, elsewhere, all] = await Promise.all([
    api.readDecisionsSince(sinceMs),
    Promise.all(others.map((site) => rig.api(site).readDecisionsSince(sinceMs))),
    api.readOperations(),
  ]);
  const evacuation = own.find((each) => each.kind === 'evacuate' && each.hosts[0] === plan.host);
  const operations = all.filter((each) => each.createdAtMs >= sinceMs);
  const operation = operations.find((each) => each.decisionId === evacuation?.decisionId);
  const ledger = operation === undefined ? [] : await api.readLedger(operation.operationId);
  return { sinceMs, own, elsewhere: elsewhere.flat(), evacuation, operations, operation, ledger };
}

/** Where the seconds go between the fault and the first user who is safe. */
function timelineOf({ evacuation, operation }: Seen, failedAtMs: number): string {
  const at = (ms: number | null | undefined): string =>
    ms === null || ms === undefined ? '-' : ((ms - failedAtMs) / 1000).toFixed(1);
  return (
    `decided ${at(evacuation?.recordedAtMs)}, asked ${at(operation?.createdAtMs)}, ` +
    `begun ${at(operation?.startedAtMs)}, first ${at(operation?.firstConfirmedAtMs)}, ` +
    `ended ${at(operation?.endedAtMs)}`
  );
}

/** Nothing but this one Backend, and nothing by anybody else. */
function measureTouched(rig: LabRig, figures: Figures, plan: FailPlan, seen: Seen): void {
  const { host, fault } = plan;
  const name = `${fault} ${host}`;
  const { sinceMs, own, elsewhere, operations } = seen;
  const acts = (each: DecisionView): boolean => each.kind !== 'nothing';
  const describe = ({ kind, reason, hosts }: DecisionView): string =>
    `${kind} ${hosts.join('+')} ${reason}`;
  const wanted = ['evacuate', 'setOnline', 'retryMoves', 'forceMoves', 'restartMover'];
  const strange = own.filter(
    (each) => acts(each) && (each.hosts.join() !== host || !wanted.includes(each.kind)),
  );
  figures.none('A2', `${name}: other acts of its controller`, strange.map(describe));
  figures.none('A2', `${name}: acts of the other controller`, elsewhere.filter(acts).map(describe));
  const changes = rig.observer.statusChanges.filter(({ atMs }) => atMs >= sinceMs);
  figures.none(
    'A2',
    `${name}: other Backends whose status changed`,
    changes.filter((each) => each.host !== host).map((each) => `${each.host} ${each.to}`),
  );
  const moved = rig.observer.transitions.filter(({ atMs }) => atMs >= sinceMs);
  figures.none(
    'A2',
    `${name}: users taken off another Backend`,
    moved.filter(({ from }) => from !== host).map(({ user, from, to }) => `${user} ${from}>${to}`),
  );
  const back = moved.filter(({ to }) => to === host).map(({ user }) => user);
  figures.none('A2', `${name}: home changes back`, back);
  const ids = operations.map(
    ({ operationId, kind, sourceHost }) => `${operationId} ${kind} ${sourceHost}`,
  );
  figures.holds('A2', `${name}: operations`, String(ids.length), '1', ids.length === 1);
}

/** A3: the books, and that each user was moved once. */
export function measureLedger(
  figures: Figures,
  name: string,
  { operation, ledger }: Pick<Seen, 'operation' | 'ledger'>,
): void {
  const count = (state: string): number => ledger.filter((row) => row.state === state).length;
  const [confirmed, skipped, failed] = [count('confirmed'), count('skipped'), count('failed')];
  const original = operation?.originalCount ?? -1;
  const sums = `${ledger.length} = ${confirmed} + ${skipped} + ${failed}, of ${original}`;
  const isWhole = ledger.length === confirmed + skipped + failed && ledger.length === original;
  figures.holds('A3', `${name}: ledger adds up`, sums, 'all of them', isWhole);
  const isDone = operation?.state === 'done';
  figures.holds('A3', `${name}: operation`, operation?.state ?? 'none', 'done', isDone);
  const users = new Set(ledger.map(({ username }) => username));
  const twice = ledger.length - users.size;
  figures.holds('A3', `${name}: users twice in the ledger`, String(twice), '0', twice === 0);
  const left = ledger.filter(({ state }) => state === 'skipped' || state === 'failed');
  const unexplained = left.filter(({ reason }) => reason === null);
  figures.none(
    'A3',
    `${name}: skipped or failed without a reason`,
    unexplained.map(({ username }) => username),
  );
  if (left.length > 0) {
    figures.state('A3', `${name}: skipped or failed`, left.map(({ reason }) => reason).join(', '));
  }
}

/** After a thaw nobody stays on the Backend, and an old plan moves nobody. */
function measureThawed(rig: LabRig, figures: Figures, plan: FailPlan, thawedAtMs: number): void {
  const { samples } = rig.observer;
  const late = samples.filter(({ atMs }) => atMs > thawedAtMs + THAWED_SESSIONS_MS);
  const left = new Set(late.flatMap(({ sessions }) => [...(sessions.get(plan.host) ?? [])]));
  const name = `${plan.fault} ${plan.host}: sessions on it after the thaw`;
  figures.none('A2', name, [...left]);
  const has = (atMs: number): boolean =>
    (samples.find((sample) => sample.atMs >= atMs)?.sessions.get(plan.host)?.size ?? 0) > 0;
  figures.state('A2', `${name} (first look)`, has(thawedAtMs) ? 'some' : 'none');
  const changes = readHomeChanges(rig.settings, thawedAtMs).filter(
    ({ from }) => from === plan.host,
  );
  figures.none(
    'A2',
    `${plan.fault} ${plan.host}: moves by it after the thaw`,
    changes.map(({ user, to }) => `${user} ${to}`),
  );
}

/** A3 for one operation: the log of home changes, combined with what was forced. */
export function measureHomeChanges(
  rig: LabRig,
  figures: Figures,
  name: string,
  { sinceMs, ledger }: { readonly sinceMs: number; readonly ledger: readonly Move[] },
): void {
  const logged = readHomeChanges(rig.settings, sinceMs);
  figures.none('A3', `${name}: users whose home changed twice`, changedTwice(logged, ledger));
}
