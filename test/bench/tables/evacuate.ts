/** How fast an evacuation is: off a live Backend by its own commands, off a dead one by forced writes. */
import { killBackends, restoreBackends } from '../../../lab/mail/faults.ts';
import { hostsOf } from '../../../lab/mail/hosts.mjs';
import type { Move, OperationView } from '../../system/site-api.ts';
import { eventually } from '../../support/eventually.ts';
import { moveByCommands, moveByWrites, type BareMoves } from '../bare-moves.ts';
import {
  awaitSessionsOn,
  benchUsers,
  countHomes,
  giveHomes,
  NORTH_ONLY,
  openBackend,
  openBenchLab,
  readSessionsOf,
  type BenchLab,
} from '../bench-lab.ts';
import { quantile, spread, type Bench, type BenchTable, type Measured } from '../bench-table.ts';
import { holdSessions, type HeldSessions } from '../held-sessions.ts';
import { describeCalls, describeSteps, readCalls, readMoverSteps } from '../mover-steps.ts';
import { startSteadyLogins } from '../steady-logins.ts';
import { addUsages, describeCpuEach, describeUsage, type Usage } from '../usage-by-part.ts';

const LIVE_USERS = 10_000;
const LIVE_SESSIONS = 300;
const DEAD_USERS = 100_000;
const LIVE = 'north-mail1';
const DEAD = 'north-mail2';
const LEAST_USERS_PER_SEC = 800;
const LONGEST_DEAD_SECS = 180;
const LOGINS_PER_SEC = 5;
/** Who logs in steadily: so many users of each Backend. */
const STEADY_USERS = 25;
/** After the first, Java is still compiling Cassandra. */
const WARM_UP_TURNS = 2;
const PATIENCE_MS = 600_000;
const POLL_MS = 200;

export const evacuateTable: BenchTable = {
  name: 'evacuate',
  question:
    'How fast are users moved off a Backend, and how long is a user with a session without it? ' +
    'Beside it the same by bare commands to the Backend (no Temporal, no ledger) and by bare writes ' +
    '(one ledger row and one new home a user, 64 at a time).',
  run,
};

interface Row {
  readonly usersPerSec: number[];
  readonly secs: number[];
  /** Command sent to logged in on the new Backend, milliseconds, of all runs. */
  readonly returns: number[];
  readonly failedLogins: number[];
  readonly forced: number[];
  readonly usages: Usage[];
}

const emptyRow = (): Row => ({
  usersPerSec: [],
  secs: [],
  returns: [],
  failedLogins: [],
  forced: [],
  usages: [],
});

/** Off a live Backend, by each way. */
interface LiveRows {
  readonly ours: Row;
  readonly commands: Row;
  readonly writes: Row;
}

const liveRows = (): LiveRows => ({ ours: emptyRow(), commands: emptyRow(), writes: emptyRow() });

async function run(bench: Bench): Promise<Measured> {
  const bed = await openBenchLab(bench, { parts: NORTH_ONLY, labUsers: 0, compilesFully: true });
  try {
    const notes: string[] = [];
    const live = await measureLive(bench, bed, notes);
    const dead = await measureDead(bench, bed, notes);
    judge(bench, live.ours, dead.detected);
    return {
      columns: [
        'what',
        'users',
        'with a session',
        'users/s without a session',
        'seconds in all',
        'sent to logged in again, p50 / p95 ms',
        'failed logins',
        'forced',
      ],
      rows: [
        toCells('evacuation of a live Backend', live, live.ours),
        toCells('bare batch move commands', live, live.commands),
        toCells('bare Cassandra writes', { users: live.users, sessions: 0 }, live.writes),
        toCells('evacuation of a dead Backend, from the kill', dead, dead.detected),
        toCells('the same from its first step: forced writes', dead, dead.forced),
        toCells('bare Cassandra writes', dead, dead.writes),
      ],
      notes,
    };
  } finally {
    await bed.close();
  }
}

function toCells(
  what: string,
  { users, sessions }: { readonly users: number; readonly sessions: number },
  row: Row,
): string[] {
  const returns =
    row.returns.length === 0
      ? '-'
      : `${quantile(row.returns, 0.5).toFixed(0)} / ${quantile(row.returns, 0.95).toFixed(0)}`;
  const counts = (values: readonly number[]): string =>
    values.length === 0 ? '-' : spread(values, 0);
  return [
    what,
    String(users),
    String(sessions),
    counts(row.usersPerSec),
    spread(row.secs),
    returns,
    counts(row.failedLogins),
    counts(row.forced),
  ];
}

function judge({ figures, scale }: Bench, live: Row, dead: Row): void {
  const rate = quantile(live.usersPerSec, 0.5);
  const isFast = rate >= LEAST_USERS_PER_SEC;
  const name = 'users/s off a live Backend, of those without a session';
  const figure = `${rate.toFixed(0)} (aim 2500)`;
  figures.holds('evacuate', name, figure, `>= ${LEAST_USERS_PER_SEC}`, isFast);
  const users = Math.round(DEAD_USERS * scale);
  const secs = quantile(dead.secs, 0.5);
  const what = `seconds from the kill until ${users} users are safe (aim 60)`;
  figures.atMost('evacuate', what, secs, LONGEST_DEAD_SECS, 's');
}

// --- off a live Backend -------------------------------------------------------------------------

async function measureLive(bench: Bench, bed: BenchLab, notes: string[]) {
  const users = benchUsers(Math.round(LIVE_USERS * bench.scale));
  const withSession = users.filter(
    (_, index) => index % Math.ceil(users.length / (LIVE_SESSIONS * bench.scale)) === 0,
  );
  const rows = liveRows();
  const cold = liveRows();
  const { net } = bed.lab;
  await giveHomes(bed, users, LIVE);
  const held = holdSessions(net, 'north', withSession);
  const goHome = async (): Promise<void> => {
    await openBackend(bed, LIVE);
    await giveHomes(bed, users, LIVE);
    held.cutAll();
    await held.allIn();
    await awaitSessionsOn(net, LIVE, withSession);
  };
  const targets = backendsOf(net).filter((name) => name !== LIVE);
  const takeTurn = async (name: string, turn: LiveRows, said: string[]): Promise<void> => {
    const tell = (what: string, row: Row): void => {
      bench.print(`  ${name}: ${what} ${progress(row, users.length)}`);
    };
    await goHome();
    await evacuateLive(bed, { users, withSession, held }, turn.ours, said);
    tell('evacuation', turn.ours);
    await goHome();
    await moveBarely(bed, { users, withSession, held, targets }, turn.commands);
    tell('bare commands', turn.commands);
    await giveHomes(bed, users, LIVE);
    await writeBarely(bed, { source: LIVE, targets, users }, turn.writes);
    tell('bare writes', turn.writes);
  };
  try {
    for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) await takeTurn('to warm up', cold, []);
    for (let turn = 1; turn <= bench.runs; turn += 1) {
      await takeTurn(`run ${turn}`, rows, turn === bench.runs ? notes : []);
    }
  } finally {
    held.stop();
  }
  notes.push(
    `${WARM_UP_TURNS} turns before the first are not counted: until Java has compiled Cassandra, users leave at ` +
      `${first(cold.ours.usersPerSec)} users/s, by bare commands at ${first(cold.commands.usersPerSec)}.`,
  );
  const moved = users.length * bench.runs;
  notes.push(
    sharing('the evacuations of a live Backend', rows.ours.usages, moved),
    sharing('the bare commands', rows.commands.usages, moved),
    sharing('the bare writes', rows.writes.usages, moved),
  );
  return { users: users.length, sessions: withSession.length, ...rows };
}

/** What shared the cores, and what each user cost. */
function sharing(what: string, usages: readonly Usage[], users: number): string {
  const usage = addUsages(usages);
  const each = describeCpuEach(usage, users);
  return `During ${what}: ${describeUsage(usage)}. CPU milliseconds a user: ${each}.`;
}

/** The CPU time tells more of a single run than its speed does, where the machine is shared. */
function progress({ usersPerSec, usages }: Row, users: number): string {
  const usage = usages.at(-1);
  const cpu = usage === undefined ? '' : `; CPU ms a user: ${describeCpuEach(usage, users)}`;
  return `${last(usersPerSec)} users/s${cpu}`;
}

const first = (values: readonly number[]): string => (values[0] ?? 0).toFixed(0);
const last = (values: readonly number[]): string => (values.at(-1) ?? 0).toFixed(0);

const backendsOf = (net: number): string[] =>
  hostsOf(net)
    .filter(({ role, site }) => role === 'backend' && site === 'north')
    .map(({ name }) => name);

interface LiveUsers {
  readonly users: readonly string[];
  readonly withSession: readonly string[];
  readonly held: HeldSessions;
}

async function evacuateLive(
  bed: BenchLab,
  { users, withSession, held }: LiveUsers,
  row: Row,
  notes: string[],
): Promise<void> {
  const { lab, api, usage } = bed;
  const failuresBefore = held.failures;
  const callsBefore = await readCalls(lab, 'north');
  const sinceMs = Date.now();
  usage.take();
  const operation = await awaitEnd(bed, await bed.evacuate(LIVE));
  row.usages.push(usage.take());
  const callsAfter = await readCalls(lab, 'north');
  const ledger = await api.readLedger(operation.operationId);
  const confirmed = ledger.filter(({ state }) => state === 'confirmed');
  if (confirmed.length !== users.length) {
    throw new Error(`${confirmed.length} of ${users.length} users were confirmed`);
  }
  await held.allIn();
  row.returns.push(...(await readReturns(bed, withSession, held, sentTimes(ledger))));
  const isIdle = new Set(withSession);
  const without = confirmed.filter(({ username }) => !isIdle.has(username));
  row.usersPerSec.push(without.length / ledgerSecs(without));
  row.secs.push(secsOf(operation));
  row.forced.push(ledger.filter(({ isForced }) => isForced).length);
  row.failedLogins.push(held.failures - failuresBefore);
  const steps = await readMoverSteps(lab, LIVE, sinceMs);
  notes.push(
    `Steps of the mover in the last run, seconds in which one ran: ${describeSteps(steps)}.`,
    `Calls of the worker for each user moved: ${describeCalls(callsBefore, callsAfter, users.length)}.`,
  );
}

const sentTimes = (ledger: readonly Move[]): Map<string, number> =>
  new Map(ledger.map(({ username, sentAtMs }) => [username, sentAtMs ?? Number.NaN]));

/** From the first command with one of them to the last one confirmed. */
function ledgerSecs(rows: readonly Move[]): number {
  const from = rows.reduce((least, { sentAtMs }) => Math.min(least, sentAtMs ?? least), Infinity);
  const to = rows.reduce((most, { endedAtMs }) => Math.max(most, endedAtMs ?? most), 0);
  return (to - from) / 1000;
}

const secsOf = ({ startedAtMs, endedAtMs }: OperationView): number =>
  ((endedAtMs ?? Number.NaN) - (startedAtMs ?? Number.NaN)) / 1000;

async function awaitEnd({ api }: BenchLab, operationId: string): Promise<OperationView> {
  const isOver = async (): Promise<OperationView | false> => {
    const operation = await api.readOperation(operationId);
    return operation.isEnded ? operation : false;
  };
  const options = { timeoutMs: PATIENCE_MS, intervalMs: POLL_MS };
  return eventually(`operation ${operationId} ends`, isOver, options);
}

/** Milliseconds for each user with a session; everybody has to be on another Backend, and there alone. */
async function readReturns(
  { lab }: BenchLab,
  withSession: readonly string[],
  held: HeldSessions,
  sentAtMs: ReadonlyMap<string, number>,
): Promise<number[]> {
  const stayed = await readSessionsOf(lab.net, LIVE);
  const left = withSession.filter((user) => stayed.has(user));
  if (left.length > 0) throw new Error(`${left.length} users are still on ${LIVE}`);
  return withSession.map((user) => {
    const sent = sentAtMs.get(user) ?? Number.NaN;
    return (held.logins.get(user)?.at(-1) ?? Number.NaN) - sent;
  });
}

async function moveBarely(
  bed: BenchLab,
  { users, withSession, held, targets }: LiveUsers & { readonly targets: readonly string[] },
  row: Row,
): Promise<void> {
  const failuresBefore = held.failures;
  bed.usage.take();
  const moved = await moveByCommands(bed.lab.net, { source: LIVE, targets, users });
  row.usages.push(bed.usage.take());
  await held.allIn();
  row.returns.push(...(await readReturns(bed, withSession, held, moved.sentAtMs)));
  row.secs.push(moved.secs);
  row.usersPerSec.push((users.length - withSession.length) / moved.secs);
  row.failedLogins.push(held.failures - failuresBefore);
}

async function writeBarely(bed: BenchLab, moves: BareMoves, row: Row): Promise<void> {
  bed.usage.take();
  const secs = await moveByWrites(bed, moves);
  row.usages.push(bed.usage.take());
  row.secs.push(secs);
  row.usersPerSec.push(moves.users.length / secs);
}

// --- off a dead Backend -------------------------------------------------------------------------

async function measureDead(bench: Bench, bed: BenchLab, notes: string[]) {
  const users = benchUsers(Math.round(DEAD_USERS * bench.scale));
  const { net } = bed.lab;
  const targets = backendsOf(net).filter((name) => name !== DEAD);
  const visitors = new Map(
    backendsOf(net).map((name, index) => [
      name,
      name === DEAD
        ? users.slice(0, STEADY_USERS)
        : benchUsers(STEADY_USERS, DEAD_USERS + index * STEADY_USERS),
    ]),
  );
  for (const [host, names] of visitors) await giveHomes(bed, names, host);
  const detected = emptyRow();
  const forced = emptyRow();
  const writes = emptyRow();
  const stopLogins = startSteadyLogins({
    net,
    site: 'north',
    users: visitors,
    perSec: LOGINS_PER_SEC,
  });
  try {
    for (let turn = 1; turn <= bench.runs; turn += 1) {
      await giveHomes(bed, users, DEAD);
      await restoreBackends(bed.settings, [DEAD]);
      await openBackend(bed, DEAD);
      await awaitHealthy(bed);
      const isLast = turn === bench.runs;
      await evacuateDead(bed, users.length, { detected, forced }, isLast ? notes : []);
      bench.print(
        `  run ${turn}: dead Backend empty after ${last(detected.secs)} s, ` +
          progress(detected, users.length),
      );
      await giveHomes(bed, users, targets[0] ?? '');
      await writeBarely(bed, { source: DEAD, targets, users }, writes);
      bench.print(`  run ${turn}: bare writes ${progress(writes, users.length)}`);
    }
  } finally {
    stopLogins();
  }
  const what = 'the evacuations of a dead Backend, detection included';
  notes.push(sharing(what, detected.usages, users.length * bench.runs));
  return { users: users.length, sessions: 0, detected, forced, writes };
}

async function awaitHealthy({ api }: BenchLab): Promise<void> {
  const isAtRest = async (): Promise<boolean> => {
    const { backends, operations } = await api.readOverview();
    return (
      operations.length === 0 &&
      backends.every(({ status, verdict }) => status === 'online' && verdict === 'healthy')
    );
  };
  const options = { timeoutMs: PATIENCE_MS, intervalMs: 500 };
  await eventually('every Backend is healthy', isAtRest, options);
}

async function evacuateDead(
  bed: BenchLab,
  users: number,
  rows: { readonly detected: Row; readonly forced: Row },
  notes: string[],
): Promise<void> {
  const { api, lab, usage } = bed;
  const callsBefore = await readCalls(lab, 'north');
  usage.take();
  const killedAtMs = Date.now();
  await killBackends(bed.settings, [DEAD]);
  const isAsked = async (): Promise<string | false> => {
    const operations = await api.readOperations();
    const found = operations.find(
      ({ sourceHost, createdAtMs }) => sourceHost === DEAD && createdAtMs >= killedAtMs,
    );
    return found?.operationId ?? false;
  };
  const options = { timeoutMs: PATIENCE_MS, intervalMs: POLL_MS };
  const operationId = await eventually('the dead Backend is evacuated', isAsked, options);
  const operation = await awaitEnd(bed, operationId);
  rows.detected.usages.push(usage.take());
  const left = await countHomes(bed, DEAD);
  if (left > 0) throw new Error(`${left} users still live on ${DEAD}`);
  const secs = ((operation.endedAtMs ?? Number.NaN) - killedAtMs) / 1000;
  rows.detected.secs.push(secs);
  rows.detected.usersPerSec.push(users / secs);
  rows.detected.forced.push(operation.forced);
  rows.forced.secs.push(secsOf(operation));
  rows.forced.usersPerSec.push(operation.counts.confirmed / secsOf(operation));
  rows.forced.forced.push(operation.forced);
  const steps = await readMoverSteps(lab, DEAD, killedAtMs);
  const callsAfter = await readCalls(lab, 'north');
  notes.push(
    `Dead Backend, last run: begun ${(((operation.startedAtMs ?? 0) - killedAtMs) / 1000).toFixed(1)} s ` +
      `after the kill; steps of the mover: ${describeSteps(steps)}.`,
    `Calls of the worker for each user forced: ${describeCalls(callsBefore, callsAfter, users)}.`,
  );
}
