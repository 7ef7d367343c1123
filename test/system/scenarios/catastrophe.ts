/**
 * A4: three of the four Backends of a site fail. Catastrophe protection holds, says so, and lets go by
 * itself when they serve again.
 */
import { restoreBackends, setFault } from '../../../lab/mail/faults.ts';
import { eventually } from '../../support/eventually.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { OverviewView } from '../site-api.ts';

export interface CatastrophePlan {
  readonly site: string;
  readonly hosts: readonly string[];
  /** Seconds between one failure and the next; 0: all at once. */
  readonly apartSecs: number;
  /** Seconds to look at it holding. */
  readonly holdSecs: number;
  /** Evacuations go so slowly that protection finds one of them half-way. */
  readonly isSlow: boolean;
}

const SLOW_PERCENT = 2;
const SLOW_LOOK_MS = 100;

const HOLD_LIMIT_SECS = 60;
const LET_GO_LIMIT_SECS = 120;
const PATIENCE_MS = 180_000;
/** What was on its way when protection took hold may arrive. */
const ARRIVAL_MS = 5_000;

export async function failTogether(
  rig: LabRig,
  figures: Figures,
  plan: CatastrophePlan,
): Promise<void> {
  const { site, hosts, apartSecs } = plan;
  const apart = apartSecs === 0 ? 'at once' : `${apartSecs} s apart`;
  const name = `${hosts.length} fail ${apart}${plan.isSlow ? ', slow moves' : ''}`;
  await rig.bringToRest();
  const beganAtMs = Date.now();
  const stopSlowing = plan.isSlow ? slowDown(rig, site) : (): void => undefined;
  for (const [index, host] of hosts.entries()) {
    if (index > 0) await pause(apartSecs * 1000);
    setFault(rig.settings, [host], 'deny', 100);
    rig.print(`deny ${host}`);
  }
  const lastAtMs = Date.now();
  const held = await awaitOverview(rig, site, ({ catastrophe }) => catastrophe.isHolding);
  stopSlowing();
  const heldAtMs = held?.catastrophe.sinceMs ?? Date.now();
  const tookSecs = held === null ? null : Math.max(0, (heldAtMs - lastAtMs) / 1000);
  figures.atMost('A4', `${name}: protection holds after the last`, tookSecs, HOLD_LIMIT_SECS, 's');
  await pause(plan.holdSecs * 1000);
  await measureHeld(rig, figures, { ...plan, name, beganAtMs, heldAtMs });
  const restoredAtMs = Date.now();
  await restoreBackends(rig.settings, hosts);
  rig.print('restore');
  const free = await awaitOverview(rig, site, ({ catastrophe }) => !catastrophe.isHolding);
  const freeSecs = free === null ? null : (free.nowMs - restoredAtMs) / 1000;
  figures.atMost('A4', `${name}: lets go after restore`, freeSecs, LET_GO_LIMIT_SECS, 's');
  const whole = await awaitOverview(rig, site, isWhole);
  const wholeSecs = whole === null ? null : (whole.nowMs - restoredAtMs) / 1000;
  figures.atMost('A4', `${name}: all online, no operation left`, wholeSecs, LET_GO_LIMIT_SECS, 's');
}

/** Every operation as soon as it is there, until stopped. */
function slowDown(rig: LabRig, site: string): () => void {
  const slowed = new Set<string>();
  const api = rig.api(site);
  const look = async (): Promise<void> => {
    for (const { operationId, isEnded } of await api.readOperations()) {
      if (isEnded || slowed.has(operationId)) continue;
      slowed.add(operationId);
      await api.setSpeed(operationId, SLOW_PERCENT);
    }
  };
  const timer = setInterval(() => void look().catch(() => undefined), SLOW_LOOK_MS);
  return () => {
    clearInterval(timer);
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const isWhole = ({ backends, operations }: OverviewView): boolean =>
  operations.length === 0 && backends.every(({ status }) => status === 'online');

/** Null: not in time. */
export async function awaitOverview(
  rig: LabRig,
  site: string,
  isWanted: (overview: OverviewView) => boolean,
): Promise<OverviewView | null> {
  const look = async (): Promise<OverviewView | false> => {
    const overview = await rig
      .api(site)
      .readOverview()
      .catch(() => null);
    return overview !== null && isWanted(overview) ? overview : false;
  };
  const options = { timeoutMs: PATIENCE_MS, intervalMs: 500 };
  return eventually('the overview fits', look, options).catch(() => null);
}

const describeMove = ({ user, from, to }: { user: string; from: string; to: string }): string =>
  `${user} ${from}>${to}`;

interface Held extends CatastrophePlan {
  readonly name: string;
  readonly beganAtMs: number;
  readonly heldAtMs: number;
}

async function measureHeld(rig: LabRig, figures: Figures, held: Held): Promise<void> {
  const { name, site, beganAtMs, heldAtMs, apartSecs } = held;
  const api = rig.api(site);
  const decisions = (await api.readDecisionsSince(beganAtMs)).filter(
    (each) => each.recordedAtMs >= beganAtMs,
  );
  const describe = ({ kind, hosts }: { kind: string; hosts: readonly string[] }): string =>
    `${kind} ${hosts.join('+')}`;
  const since = decisions.filter(({ recordedAtMs }) => recordedAtMs > heldAtMs);
  const forbidden = ['evacuate', 'movePartially', 'setOffline', 'resumeOperation', 'rebalance'];
  const acts = since.filter(({ kind }) => forbidden.includes(kind));
  figures.none('A4', `${name}: moves and changes to offline decided`, acts.map(describe));
  const offline = rig.observer.statusChanges.filter(
    ({ atMs, to }) => atMs > heldAtMs + ARRIVAL_MS && to === 'offline',
  );
  figures.none(
    'A4',
    `${name}: set offline`,
    offline.map(({ host }) => host),
  );
  const moved = rig.observer.transitions.filter(({ atMs }) => atMs > heldAtMs + ARRIVAL_MS);
  figures.none('A4', `${name}: users moved while it holds`, moved.map(describeMove));
  const before = rig.observer.transitions.filter(({ atMs }) => atMs >= beganAtMs);
  if (apartSecs === 0) figures.none('A4', `${name}: users moved`, before.map(describeMove));
  else figures.state('A4', `${name}: users moved before it held`, String(before.length));
  await measureShown(rig, figures, held);
}

/** The log, the API and the decisions say it. */
async function measureShown(rig: LabRig, figures: Figures, held: Held): Promise<void> {
  const { name, site, hosts, beganAtMs } = held;
  const overview = await rig.api(site).readOverview();
  const { isHolding, failingHosts, sharePercent } = overview.catastrophe;
  const shown = `${isHolding ? 'holds' : 'does not hold'}: ${failingHosts.join(' ')}, ${sharePercent} %`;
  const isShown = isHolding && hosts.every((host) => failingHosts.includes(host));
  figures.holds('A4', `${name}: the overview says`, shown, 'holds, names them', isShown);
  const running = overview.operations.filter(({ state }) => state !== 'paused');
  figures.none(
    'A4',
    `${name}: automatic operations not paused`,
    running.map((each) => each.operationId),
  );
  if (held.isSlow) {
    const paused = overview.operations.filter(({ state }) => state === 'paused');
    const reasons = paused.map(({ sourceHost, stateReason }) => `${sourceHost} ${stateReason}`);
    const isPaused = paused.some(({ stateReason }) => stateReason === 'CatastropheProtection');
    figures.holds('A4', `${name}: paused half-way`, reasons.join(), 'at least one', isPaused);
  }
  const errors = rig
    .readLog(`worker-${site}`, beganAtMs)
    .filter((line) => isErrorAbout(line, 'CatastropheProtection'));
  const logged = String(errors.length);
  figures.holds('A4', `${name}: errors logged`, logged, '> 0', errors.length > 0);
}

export function isErrorAbout(line: Readonly<Record<string, unknown>>, reason: string): boolean {
  const isError = line['level'] === 50 || line['level'] === 'error';
  return isError && line['reason'] === reason;
}
