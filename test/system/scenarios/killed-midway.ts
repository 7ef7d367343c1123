/**
 * A6: kill -9 in the middle of an evacuation, of the worker, of one worker of two, or of everything at
 * once. The same operation goes on and ends, and the books are right.
 */
import { setFault } from '../../../lab/mail/faults.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { Move, OperationView } from '../site-api.ts';
import { measureHomeChanges, measureLedger } from './fail-and-return.ts';

export type Victim = 'worker' | 'one worker of two' | 'everything';

export interface KillPlan {
  readonly victim: Victim;
  readonly site: string;
  readonly host: string;
}

/** Of the users, when the kill has to come. */
const SHARE = { from: 0.2, to: 0.8, aim: 0.3 };
/** An evacuation of a few hundred users is over in seconds: slower, so that it can be hit. */
const SLOW_PERCENT = 5;
const PATIENCE_MS = 240_000;
const POLL_MS = 50;
const GO_ON_LIMIT_SECS: Readonly<Record<Victim, number>> = {
  'one worker of two': 10,
  worker: 20,
  everything: 120,
};

export async function killMidway(rig: LabRig, figures: Figures, plan: KillPlan): Promise<void> {
  const { victim, site, host } = plan;
  const name = `kill -9 of ${victim}`;
  await rig.bringToRest();
  if (victim === 'one worker of two') await rig.lab.addPart(`worker-${site}-2`);
  const failedAtMs = Date.now();
  setFault(rig.settings, [host], 'deny', 100);
  rig.print(`deny ${host}`);
  const caught = await catchMidway(rig, site, failedAtMs);
  if (caught === null) {
    figures.holds('A6', `${name}: caught half-way`, 'no', '20 to 80 %', false);
    return;
  }
  const { operationId } = caught;
  const killedAtMs = Date.now();
  if (victim === 'everything') await rig.killEverything();
  else await rig.lab.killPart(`worker-${site}`);
  rig.print(`${name} at ${caught.counts.confirmed} of ${caught.originalCount}`);
  if (victim === 'everything') await rig.start();
  const api = rig.api(site);
  await rig.observer.waitFor(() => true, { sinceMs: Date.now(), timeoutMs: PATIENCE_MS });
  await api.setSpeed(operationId, 100).catch(() => undefined);
  const wait = { sinceMs: killedAtMs, timeoutMs: PATIENCE_MS };
  const ended = await rig.observer.waitFor(
    ({ operations }) =>
      operations.get(site)?.some((each) => each.operationId === operationId && each.isEnded) ===
      true,
    wait,
  );
  const ledger = await api.readLedger(operationId);
  const operation = await api.readOperation(operationId);
  measureKill(figures, plan, { ledger, killedAtMs, operation });
  const endedSecs = ended === null ? null : ((operation.endedAtMs ?? 0) - killedAtMs) / 1000;
  figures.atMost('A6', `${name}: operation ended after`, endedSecs, 180, 's');
  measureLedger(figures, name, { operation, ledger });
  measureHomeChanges(rig, figures, name, { sinceMs: failedAtMs, ledger });
  await measureOnlyOne(rig, figures, { name, site, host, failedAtMs });
  if (victim === 'one worker of two') await rig.lab.stopPart(`worker-${site}-2`);
}

/** Slows the evacuation down as soon as it is there, and answers when enough is confirmed. */
async function catchMidway(
  rig: LabRig,
  site: string,
  sinceMs: number,
): Promise<OperationView | null> {
  const api = rig.api(site);
  const endMs = Date.now() + PATIENCE_MS;
  let isSlowed = false;
  while (Date.now() < endMs) {
    const operations = await api.readOperations().catch(() => []);
    const operation = operations.find(({ createdAtMs }) => createdAtMs >= sinceMs);
    if (operation?.isEnded === true) return null;
    if (operation !== undefined) {
      if (!isSlowed) {
        await api.setSpeed(operation.operationId, SLOW_PERCENT).catch(() => undefined);
        isSlowed = true;
      }
      const { confirmed } = operation.counts;
      if (operation.originalCount > 0 && confirmed / operation.originalCount >= SHARE.aim) {
        return operation;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

interface Killed {
  readonly ledger: readonly Move[];
  readonly killedAtMs: number;
  readonly operation: OperationView;
}

/** The ledger tells what was confirmed at the moment of the kill, and when the next one was. */
function measureKill(figures: Figures, { victim }: KillPlan, killed: Killed): void {
  const { ledger, killedAtMs, operation } = killed;
  const name = `kill -9 of ${victim}`;
  const times = ledger
    .filter(({ state }) => state === 'confirmed')
    .map(({ endedAtMs }) => endedAtMs ?? 0);
  const before = times.filter((ms) => ms <= killedAtMs).length;
  const share = before / Math.max(1, operation.originalCount);
  const isMidway = share >= SHARE.from && share <= SHARE.to;
  const percent = `${Math.round(share * 100)} %`;
  figures.holds('A6', `${name}: confirmed at the kill`, percent, '20 to 80 %', isMidway);
  const later = times.filter((ms) => ms > killedAtMs);
  const next = later.length === 0 ? null : (Math.min(...later) - killedAtMs) / 1000;
  figures.atMost('A6', `${name}: goes on after`, next, GO_ON_LIMIT_SECS[victim], 's');
}

/** One decision, one operation, however many workers looked. */
async function measureOnlyOne(
  rig: LabRig,
  figures: Figures,
  run: { name: string; site: string; host: string; failedAtMs: number },
): Promise<void> {
  const api = rig.api(run.site);
  const operations = (await api.readOperations()).filter(
    ({ createdAtMs }) => createdAtMs >= run.failedAtMs,
  );
  const count = String(operations.length);
  figures.holds('A6', `${run.name}: operations`, count, '1', operations.length === 1);
  const moved = rig.observer.transitions.filter(({ atMs }) => atMs >= run.failedAtMs);
  const times = new Map<string, number>();
  for (const { user } of moved) times.set(user, (times.get(user) ?? 0) + 1);
  const twice = [...times].filter(([, count_]) => count_ > 1).map(([user]) => user);
  figures.none('A6', `${run.name}: users seen to move twice`, twice);
  const offline = await rig.observer.waitFor(
    ({ statuses }) => statuses?.get(run.host) === 'offline',
    { sinceMs: run.failedAtMs, timeoutMs: 10_000 },
  );
  figures.holds(
    'A6',
    `${run.name}: ${run.host}`,
    offline === null ? 'not offline' : 'offline',
    'offline',
    offline !== null,
  );
}
