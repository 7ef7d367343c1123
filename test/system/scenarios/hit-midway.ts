/**
 * B1: each part of the controller, and the cluster service of the source, is killed with -9 or frozen for
 * 20 s in the middle of an evacuation of 5,000 users. The same operation ends without help, its books are
 * right, and every user changed home once. Where what was frozen makes the source itself fail its users,
 * the evacuation by the health check takes over, as the rules want: then the books of both are right.
 */
import { addUsers, removeUsers } from '../extra-users.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { Move, OperationView } from '../site-api.ts';
import { measureHomeChanges, measureLedger } from './fail-and-return.ts';

export const VICTIMS = [
  'worker',
  'api',
  'temporal',
  'cassandra',
  'redis',
  'prometheus',
  'cluster service',
] as const;
export type MidwayVictim = (typeof VICTIMS)[number];
export type Hit = 'kill -9' | 'SIGSTOP';

export interface MidwayPlan {
  readonly site: string;
  readonly users: number;
  readonly victims: readonly MidwayVictim[];
  readonly hits: readonly Hit[];
  readonly frozenSecs: number;
}

/** Of the users, when the hit has to come. */
const SHARE = { from: 0.2, to: 0.8, aim: 0.3 };
/** Thousands of users are off in seconds: slower, so that it can be hit. */
const SLOW_PERCENT = 50;
const PATIENCE_MS = 300_000;
const POLL_MS = 50;

/** One evacuation after the other, each of another Backend, so that nobody waits for a return. */
export async function hitMidway(rig: LabRig, figures: Figures, plan: MidwayPlan): Promise<void> {
  await rig.bringToRest();
  const hosts = rig.lab.sites.find(({ name }) => name === plan.site)?.backends ?? [];
  const runs = plan.victims.flatMap((victim) => plan.hits.map((hit) => ({ victim, hit })));
  const group = { name: 'midway', count: plan.users };
  try {
    for (const [index, { victim, hit }] of runs.entries()) {
      const host = hosts[index % hosts.length]?.name ?? '';
      await addUsers(rig, host, group);
      await hitOnce(rig, figures, { ...plan, victim, hit, host });
    }
  } finally {
    await removeUsers(rig, group);
  }
}

interface OneHit extends Pick<MidwayPlan, 'site' | 'users' | 'frozenSecs'> {
  readonly victim: MidwayVictim;
  readonly hit: Hit;
  readonly host: string;
}

async function hitOnce(rig: LabRig, figures: Figures, plan: OneHit): Promise<void> {
  const { victim, hit, site, host } = plan;
  const name = `${hit} of ${victim}`;
  const begunAtMs = Date.now();
  const operationId = await startSlowly(rig, site, host);
  const caught = await awaitShare(rig, site, operationId);
  const hitAtMs = Date.now();
  const part = partOf(victim, site, host);
  rig.print(`${name} at ${caught?.counts.confirmed ?? '?'} of ${caught?.originalCount ?? '?'}`);
  if (hit === 'kill -9') await rig.lab.killPart(part);
  else await freezeFor(rig, part, plan.frozenSecs);
  const ended = await awaitEnd(rig, site, operationId);
  if (ended === null) {
    figures.holds('B1', `${name}: ended without help`, 'no', 'done', false);
    return;
  }
  const ledger = await rig.api(site).readLedger(operationId);
  const share = confirmedBefore(ledger, hitAtMs).length / Math.max(1, ended.originalCount);
  const isMidway = share >= SHARE.from && share <= SHARE.to;
  const percent = `${Math.round(share * 100)} % of ${ended.originalCount}`;
  figures.holds('B1', `${name}: confirmed at the hit`, percent, '20 to 80 %', isMidway);
  const isWhole = ended.originalCount >= plan.users;
  figures.holds('B1', `${name}: users`, String(ended.originalCount), `${plan.users}`, isWhole);
  const after = ((ended.endedAtMs ?? Date.now()) - hitAtMs) / 1000;
  figures.state('B1', `${name}: next user confirmed after`, secondsOf(nextAfter(ledger, hitAtMs)));
  figures.state('B1', `${name}: ended after`, `${after.toFixed(1)} s`);
  // No other victim makes the source fail its users.
  const isOvertaken = ended.state === 'superseded' && victim === 'cluster service';
  const next = isOvertaken ? await awaitTakeover(rig, site, begunAtMs) : null;
  if (next === null) measureLedger(figures, name, { operation: ended, ledger });
  else measureTakeover(figures, name, { first: ended, ledger, next });
  const all = [...ledger, ...(next?.ledger ?? [])];
  measureHomeChanges(rig, figures, name, { sinceMs: begunAtMs, ledger: all });
  const operations = next === null ? 1 : 2;
  await measureNobodyLeft(rig, figures, { name, site, host, begunAtMs, operations });
}

interface Takeover {
  readonly operation: OperationView;
  readonly ledger: readonly Move[];
}

/** The evacuation by the health check that overtook the operator's, when it has ended; null: there is none. */
async function awaitTakeover(
  rig: LabRig,
  site: string,
  begunAtMs: number,
): Promise<Takeover | null> {
  const begun = (await rig.api(site).readOperations()).find(
    ({ createdAtMs, cause, kind }) =>
      createdAtMs >= begunAtMs && cause === 'health' && kind === 'evacuation',
  );
  const operation = begun === undefined ? null : await awaitEnd(rig, site, begun.operationId);
  if (operation === null) return null;
  return { operation, ledger: await rig.api(site).readLedger(operation.operationId) };
}

/** Everybody was confirmed by one of the two, nobody by both, and who was skipped has a reason. */
function measureTakeover(
  figures: Figures,
  name: string,
  { first, ledger, next }: { first: OperationView; ledger: readonly Move[]; next: Takeover },
): void {
  const rows = [...ledger, ...next.ledger];
  const confirmed = rows.filter(({ state }) => state === 'confirmed');
  const users = new Set(confirmed.map(({ username }) => username));
  const sums = `${confirmed.length} confirmed by two, ${users.size} users, of ${first.originalCount}`;
  const isWhole = confirmed.length === users.size && users.size === first.originalCount;
  figures.holds('B1', `${name}: ledgers of both add up`, sums, 'all of them, once', isWhole);
  const { state } = next.operation;
  figures.holds('B1', `${name}: health evacuation that took over`, state, 'done', state === 'done');
  const isOpen = ({ state: each }: Move): boolean => each !== 'confirmed' && each !== 'skipped';
  const wrong = rows.filter((row) => isOpen(row) || (row.state === 'skipped' && !row.reason));
  figures.none(
    'B1',
    `${name}: neither confirmed nor skipped for a reason`,
    wrong.map(({ username }) => username),
  );
}

/** Asked for by an operator, slow from its first user on. */
export async function startSlowly(
  rig: LabRig,
  site: string,
  host: string,
  slowPercent = SLOW_PERCENT,
): Promise<string> {
  return (await rig.api(site).evacuate(host, slowPercent)).operationId;
}

/** Null: not in time. */
export async function awaitShare(
  rig: LabRig,
  site: string,
  operationId: string,
  share = SHARE.aim,
): Promise<OperationView | null> {
  return awaitOperation(
    rig,
    site,
    operationId,
    ({ counts, originalCount, isEnded }) =>
      isEnded || (originalCount > 0 && counts.confirmed / originalCount >= share),
  );
}

/** Null: not in time. */
export function awaitEnd(
  rig: LabRig,
  site: string,
  operationId: string,
): Promise<OperationView | null> {
  return awaitOperation(rig, site, operationId, ({ isEnded }) => isEnded);
}

async function awaitOperation(
  rig: LabRig,
  site: string,
  operationId: string,
  isThere: (operation: OperationView) => boolean,
): Promise<OperationView | null> {
  for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs;) {
    const operation = await rig
      .api(site)
      .readOperation(operationId)
      .catch(() => null);
    if (operation !== null && isThere(operation)) return operation;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

function partOf(victim: MidwayVictim, site: string, host: string): string {
  if (victim === 'cluster service') return `${host}-cluster`;
  return victim === 'worker' || victim === 'api' ? `${victim}-${site}` : victim;
}

async function freezeFor(rig: LabRig, part: string, secs: number): Promise<void> {
  rig.lab.freezePart(part);
  await new Promise((resolve) => setTimeout(resolve, secs * 1000));
  rig.lab.thawPart(part);
}

export const confirmedBefore = (ledger: readonly Move[], atMs: number): Move[] =>
  ledger.filter(({ state, endedAtMs }) => state === 'confirmed' && (endedAtMs ?? 0) <= atMs);

/** Milliseconds from then to the next confirmed user, by the ledger; null: there was none. */
export function nextAfter(ledger: readonly Move[], atMs: number): number | null {
  const later = ledger
    .filter(({ state, endedAtMs }) => state === 'confirmed' && (endedAtMs ?? 0) > atMs)
    .map(({ endedAtMs }) => endedAtMs ?? 0);
  // by reduce: thousands of arguments are too many for one call
  const next = later.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
  return Number.isFinite(next) ? next - atMs : null;
}

export const secondsOf = (ms: number | null): string =>
  ms === null ? 'none' : `${(ms / 1000).toFixed(1)} s`;

async function measureNobodyLeft(
  rig: LabRig,
  figures: Figures,
  run: { name: string; site: string; host: string; begunAtMs: number; operations: number },
): Promise<void> {
  const { name, site, host, begunAtMs } = run;
  const operations = (await rig.api(site).readOperations()).filter(
    ({ createdAtMs }) => createdAtMs >= begunAtMs,
  );
  const count = String(operations.length);
  const isAsWanted = operations.length === run.operations;
  figures.holds('B1', `${name}: operations`, count, String(run.operations), isAsWanted);
  const wait = { sinceMs: Date.now(), timeoutMs: 30_000 };
  const seen = await rig.observer.waitFor(({ users }) => users !== null, wait);
  const left = seen?.users?.get(host) ?? 0;
  figures.holds('B1', `${name}: users left`, String(left), '0', seen !== null && left === 0);
}
