/** C3: most of a site's users live on one Backend, and they are the busy ones. Balancing evens it out and then rests. */
import { setFault } from '../../../lab/mail/faults.ts';
import { placeUsers } from '../../../lab/mail/place-users.ts';
import { readCluster } from '../../../lab/mail/read-cluster.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { DecisionView, Move } from '../site-api.ts';
import { changeBalancing } from '../balancing-switch.ts';

export interface SettlePlan {
  readonly site: string;
  readonly host: string;
  readonly sharePercent: number;
  /** So much more often than others those users come. */
  readonly factor: number;
  readonly patienceSecs: number;
}

/** Settled: so many cycles in a row had no pair to balance, for reasons of load alone. */
const QUIET_CYCLES = 12;
const RESTING = ['BelowThreshold', 'CannotImprove'];
const LIMITS = { movesOverLeast: 1.3, thrashShare: 0.02 };
const POLL_MS = 2_000;
const WRITTEN_TOGETHER = 50;

export async function settleLoad(rig: LabRig, figures: Figures, plan: SettlePlan): Promise<void> {
  const { site, host, sharePercent } = plan;
  await rig.bringToRest();
  await placeUsers(rig.settings, rig.geodb, { sharePercent, on: host });
  await forgetMoves(rig);
  setFault(rig.settings, [host], 'load', plan.factor);
  const before = await countUsers(rig, site, Date.now());
  const sinceMs = Date.now();
  await changeBalancing(rig, site, 'enabled');
  try {
    rig.print(`${sharePercent} % of ${site} on ${host}: ${describe(before)}`);
    const settledAtMs = await awaitRest(rig, plan, sinceMs);
    const after = await countUsers(rig, site, sinceMs);
    rig.print(`now ${describe(after)}`);
    await report(rig, figures, plan, { before, after, sinceMs, settledAtMs });
  } finally {
    await changeBalancing(rig, site, 'disabled');
  }
}

/** Whoever was placed has been moved just now, and would rest for an hour. */
async function forgetMoves({ settings, geodb }: LabRig): Promise<void> {
  const { homes } = await readCluster(settings, geodb);
  const query = `UPDATE ${settings.geodb.keyspace}.users SET last_moved = null WHERE username = ?`;
  const users = [...homes.values()].flat();
  for (let at = 0; at < users.length; at += WRITTEN_TOGETHER) {
    const some = users.slice(at, at + WRITTEN_TOGETHER);
    await Promise.all(some.map((user) => geodb.execute(query, [user], { prepare: true })));
  }
}

type Users = ReadonlyMap<string, number>;

async function countUsers(rig: LabRig, site: string, sinceMs: number): Promise<Users> {
  const wait = { sinceMs, timeoutMs: POLL_MS * 10 };
  await rig.observer.waitFor(({ users }) => users !== null, wait);
  const users = rig.observer.latest()?.users ?? new Map<string, number>();
  const hosts = rig.lab.sites.find(({ name }) => name === site)?.backends ?? [];
  return new Map(hosts.map(({ name }) => [name, users.get(name) ?? 0]));
}

const describe = (users: Users): string =>
  [...users].map(([name, count]) => `${name} ${count}`).join(', ');

const readCycles = async (rig: LabRig, site: string, sinceMs: number): Promise<DecisionView[]> =>
  (await rig.api(site).readDecisionsSince(sinceMs)).filter(
    ({ task }) => task === 'rebalance_sites',
  );

/** Null: not in time. Rests between two goes (cool times) are no sign of being done. */
async function awaitRest(
  rig: LabRig,
  { site, patienceSecs }: SettlePlan,
  sinceMs: number,
): Promise<number | null> {
  const endMs = sinceMs + patienceSecs * 1000;
  while (Date.now() < endMs) {
    const cycles = await readCycles(rig, site, sinceMs);
    const acted = cycles.filter(({ kind }) => kind === 'rebalance');
    const lastActedAtMs = Math.max(0, ...acted.map(({ recordedAtMs }) => recordedAtMs));
    const quiet = cycles.filter(
      ({ reason, lastRepeatedAtMs }) =>
        RESTING.includes(reason) && acted.length > 0 && lastRepeatedAtMs > lastActedAtMs,
    );
    const quietCycles = quiet.reduce((sum, { repeats }) => sum + repeats + 1, 0);
    if (quietCycles >= QUIET_CYCLES) return Math.min(...quiet.map((each) => each.recordedAtMs));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

interface Seen {
  readonly before: Users;
  readonly after: Users;
  readonly sinceMs: number;
  readonly settledAtMs: number | null;
}

async function report(
  rig: LabRig,
  figures: Figures,
  { site, host, sharePercent, patienceSecs }: SettlePlan,
  { before, after, sinceMs, settledAtMs }: Seen,
): Promise<void> {
  const name = `${sharePercent} % of ${site} on ${host}`;
  const api = rig.api(site);
  const acting = (await readCycles(rig, site, sinceMs)).filter(({ kind }) => kind === 'rebalance');
  const ids = new Set(acting.map(({ decisionId }) => decisionId));
  const operations = (await api.readOperations()).filter(({ decisionId }) =>
    ids.has(decisionId ?? ''),
  );
  const ledgers = await Promise.all(
    operations.map(({ operationId }) => api.readLedger(operationId)),
  );
  const moved = ledgers.flat().filter(({ state }) => state === 'confirmed');
  const secs = settledAtMs === null ? null : (settledAtMs - sinceMs) / 1000;
  figures.atMost('C3', `${name}: settled`, secs, patienceSecs, 's');
  figures.state('C3', `${name}: cycles that acted`, String(acting.length));
  figures.state('C3', `${name}: users before and after`, `${describe(before)}; ${describe(after)}`);
  const mean = [...before.values()].reduce((sum, each) => sum + each, 0) / before.size;
  const least = Math.max(1, Math.round((before.get(host) ?? 0) - mean));
  const ratio = `${moved.length} of at least ${least}: ${(moved.length / least).toFixed(2)}`;
  const isFrugal = moved.length / least <= LIMITS.movesOverLeast;
  figures.holds('C3', `${name}: moves`, ratio, `<= ${LIMITS.movesOverLeast}`, isFrugal);
  const twice = moved.length - new Set(moved.map(({ username }: Move) => username)).size;
  const thrash = `${twice} of ${moved.length}`;
  const isCalm = twice <= moved.length * LIMITS.thrashShare;
  figures.holds('C3', `${name}: users moved twice`, thrash, '<= 2 %', isCalm);
  figures.none(
    'C3',
    `${name}: Backends that took and gave in one cycle`,
    acting
      .filter(({ hosts }) => new Set(hosts).size < hosts.length)
      .map(({ hosts }) => hosts.join()),
  );
}
