/** B1: how long a kill -9 of the worker keeps the next user waiting, over many kills. */
import { addUsers, removeUsers } from '../extra-users.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { Move } from '../site-api.ts';
import { measureHomeChanges, measureLedger } from './fail-and-return.ts';
import { awaitEnd, awaitShare, confirmedBefore, nextAfter, startSlowly } from './hit-midway.ts';

export interface WorkerKillsPlan {
  readonly site: string;
  readonly users: number;
  readonly kills: number;
  /** Another worker runs beside the one that is killed. */
  readonly isOneOfTwo: boolean;
  readonly limitSecs: number;
}

/** One lane that never rests: below it a mover pauses between chunks, and that would be measured too. */
const SLOW_PERCENT = 25;
/** Kills come while it moves again, and not at a round figure of its rhythm. */
const APART_MS = { least: 1_000, most: 2_500 };
/** The last of it is for the end: no kill comes after this share. */
const LAST_SHARE = 0.9;
const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/** As few evacuations as it takes, each of another Backend. The ledger tells when users were confirmed. */
export async function killWorkerOften(
  rig: LabRig,
  figures: Figures,
  plan: WorkerKillsPlan,
): Promise<void> {
  const { site, kills } = plan;
  const name = plan.isOneOfTwo ? 'kill -9 of one worker of two' : 'kill -9 of the worker';
  await rig.bringToRest();
  if (plan.isOneOfTwo) await rig.lab.addPart(`worker-${site}-2`);
  const hosts = rig.lab.sites.find((one) => one.name === site)?.backends ?? [];
  const group = { name: 'kills', count: plan.users };
  const waits: number[] = [];
  for (let run = 0; waits.length < kills && run < hosts.length; run += 1) {
    const host = hosts[run]?.name ?? '';
    await addUsers(rig, host, group);
    const begunAtMs = Date.now();
    const operationId = await startSlowly(rig, site, host, SLOW_PERCENT);
    const killedAtMs = await killWhileItRuns(rig, {
      site,
      operationId,
      kills: kills - waits.length,
    });
    // refused where it has ended meanwhile, which is as good
    const hurry = { speedPercent: 100, reason: 'drill' };
    await rig.api(site).send('POST', `/operations/${operationId}/speed`, hurry);
    const operation = await awaitEnd(rig, site, operationId);
    const ledger = await rig.api(site).readLedger(operationId);
    if (operation !== null) measureLedger(figures, `${name}, ${host}`, { operation, ledger });
    measureHomeChanges(rig, figures, `${name}, ${host}`, { sinceMs: begunAtMs, ledger });
    const found = killedAtMs.map((atMs) => waitAfter(ledger, atMs));
    rig.print(`${name}: ${found.map((ms) => (ms / 1000).toFixed(1)).join(' ')} s`);
    waits.push(...found);
  }
  await removeUsers(rig, group);
  if (plan.isOneOfTwo) await rig.lab.stopPart(`worker-${site}-2`);
  report(figures, name, waits, plan);
}

interface Killing {
  readonly site: string;
  readonly operationId: string;
  readonly kills: number;
}

/** When it was killed, each time after a user was confirmed since the last one. */
async function killWhileItRuns(
  rig: LabRig,
  { site, operationId, kills }: Killing,
): Promise<number[]> {
  const killedAtMs: number[] = [];
  await awaitShare(rig, site, operationId, 0.02);
  while (killedAtMs.length < kills) {
    const apartMs = APART_MS.least + Math.random() * (APART_MS.most - APART_MS.least);
    await new Promise((resolve) => setTimeout(resolve, apartMs));
    const before = await rig.api(site).readOperation(operationId);
    if (before.isEnded || before.counts.confirmed > before.originalCount * LAST_SHARE) break;
    const sinceMs = Date.now();
    killedAtMs.push(sinceMs);
    const worker = `worker-${site}`;
    await rig.lab.killPart(worker, { staysDown: true });
    // a supervisor that has seen few deaths starts it again at once
    rig.lab.startPart(worker);
    await awaitNext(rig, site, { operationId, sinceMs });
  }
  return killedAtMs;
}

/**
 * Until the ledger has a user who was confirmed after that time. The operation's row alone does not tell: what
 * it counts next may have been confirmed before, and another kill would hit a worker that is just starting.
 */
async function awaitNext(
  rig: LabRig,
  site: string,
  { operationId, sinceMs }: { readonly operationId: string; readonly sinceMs: number },
): Promise<void> {
  let counted = -1;
  for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs;) {
    const { isEnded, counts } = await rig.api(site).readOperation(operationId);
    if (isEnded) return;
    if (counts.confirmed !== counted) {
      counted = counts.confirmed;
      const ledger = await rig.api(site).readLedger(operationId);
      if (nextAfter(ledger, sinceMs) !== null) return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function waitAfter(ledger: readonly Move[], atMs: number): number {
  const isFirst = confirmedBefore(ledger, atMs).length === 0;
  return isFirst ? Number.NaN : (nextAfter(ledger, atMs) ?? Number.NaN);
}

function report(
  figures: Figures,
  name: string,
  waits: readonly number[],
  { kills, limitSecs }: WorkerKillsPlan,
): void {
  const sorted = waits.filter((ms) => Number.isFinite(ms)).toSorted((a, b) => a - b);
  const at = (share: number): number | null => {
    const ms = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
    return ms === undefined ? null : ms / 1000;
  };
  const isEnough = sorted.length === waits.length && sorted.length >= kills;
  figures.holds('B1', `${name}: kills`, String(sorted.length), `${kills}`, isEnough);
  figures.state('B1', `${name}: next user confirmed after, p50`, `${at(0.5)?.toFixed(1)} s`);
  figures.atMost('B1', `${name}: next user confirmed after, p95`, at(0.95), limitSecs, 's');
  figures.state('B1', `${name}: next user confirmed after, longest`, `${at(1)?.toFixed(1)} s`);
}
