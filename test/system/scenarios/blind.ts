/** A4: without Prometheus nothing is decided, loudly; with it again, work goes on. */
import { setFault } from '../../../lab/mail/faults.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import { awaitOverview, isErrorAbout } from './catastrophe.ts';

export interface BlindPlan {
  readonly site: string;
  /** Fails while nobody sees it. */
  readonly host: string;
  readonly blindSecs: number;
}

const BLIND_LIMIT_SECS = 60;
const GO_ON_LIMIT_SECS = 90;
const PATIENCE_MS = 180_000;

export async function goBlind(rig: LabRig, figures: Figures, plan: BlindPlan): Promise<void> {
  const { site, host } = plan;
  const name = 'Prometheus stopped';
  await rig.bringToRest();
  const stoppedAtMs = Date.now();
  await rig.lab.stopPart('prometheus');
  setFault(rig.settings, [host], 'deny', 100);
  rig.print(`Prometheus stopped, deny ${host}`);
  const blind = await awaitOverview(rig, site, ({ metrics }) => metrics.isBlind);
  const blindSecs = blind === null ? null : (Date.now() - stoppedAtMs) / 1000;
  figures.atMost('A4', `${name}: shown as blind`, blindSecs, BLIND_LIMIT_SECS, 's');
  await new Promise((resolve) => setTimeout(resolve, plan.blindSecs * 1000));
  const decisions = await rig.api(site).readDecisionsSince(stoppedAtMs);
  const acts = decisions.filter(({ kind }) => kind !== 'nothing');
  figures.none(
    'A4',
    `${name}: decided`,
    acts.map(({ kind, hosts }) => `${kind} ${hosts.join('+')}`),
  );
  const said = decisions.filter(({ reason }) => reason === 'Blind');
  figures.holds('A4', `${name}: recorded as`, said[0]?.detail ?? '-', 'Blind', said.length > 0);
  const errors = rig
    .readLog(`worker-${site}`, stoppedAtMs)
    .filter((line) => isErrorAbout(line, 'Blind'));
  figures.holds('A4', `${name}: errors logged`, String(errors.length), '> 0', errors.length > 0);
  const moved = rig.observer.transitions.filter(({ atMs }) => atMs >= stoppedAtMs);
  figures.none(
    'A4',
    `${name}: users moved`,
    moved.map(({ user }) => user),
  );
  const startedAtMs = Date.now();
  rig.lab.startPart('prometheus');
  rig.print('Prometheus started');
  const wait = { sinceMs: startedAtMs, timeoutMs: PATIENCE_MS };
  const offline = await rig.observer.waitFor(
    ({ statuses }) => statuses?.get(host) === 'offline',
    wait,
  );
  const offlineSecs = offline === null ? null : (offline.atMs - startedAtMs) / 1000;
  figures.atMost(
    'A4',
    `${name}: started again, ${host} emptied`,
    offlineSecs,
    GO_ON_LIMIT_SECS,
    's',
  );
}
