/** C4: a Backend at the threshold, one that fails a little, one without its store: as little as needed is done. */
import { clearFault, restoreBackends, setFault } from '../../../lab/mail/faults.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import type { DecisionView } from '../site-api.ts';

export interface WobblePlan {
  readonly site: string;
  readonly host: string;
  /** Per cent of logins that are refused, one after the other. */
  readonly percents: readonly number[];
  readonly stepSecs: number;
  readonly forSecs: number;
  readonly coolTimeSecs: number;
  /** Whether some action has to come, or only may. */
  readonly mustAct: boolean;
}

export interface StoragePlan {
  readonly site: string;
  readonly host: string;
  /** So long the store stays away once the Backend is offline. */
  readonly awaySecs: number;
}

const OFFLINE_LIMIT_SECS = 120;
const RETURN_LIMIT_SECS = 120;
/** Decisions are recorded a moment after they were made. */
const SLACK_SECS = 1;

const pause = (secs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, secs * 1000));

const actsOn = async (rig: LabRig, site: string, sinceMs: number): Promise<DecisionView[]> =>
  (await rig.api(site).readDecisionsSince(sinceMs))
    .filter(({ task, kind }) => task === 'check_backend_health' && kind !== 'nothing')
    .sort((a, b) => a.recordedAtMs - b.recordedAtMs);

const describeAct = ({ kind, hosts, reason }: DecisionView): string =>
  `${kind} ${hosts.join('+')} ${reason}`;

/** Refuses now more, now less: users are moved off in part, at most once in a cool time. */
export async function wobble(rig: LabRig, figures: Figures, plan: WobblePlan): Promise<void> {
  const { site, host, percents, stepSecs, forSecs } = plan;
  const name = `${host} refuses ${percents.join(' and ')} % for ${forSecs} s`;
  await rig.bringToRest();
  const sinceMs = Date.now();
  for (let step = 0; Date.now() - sinceMs < forSecs * 1000; step += 1) {
    setFault(rig.settings, [host], 'deny', percents[step % percents.length]);
    await pause(stepSecs);
  }
  clearFault(rig.settings, host, 'deny');
  const acts = await actsOn(rig, site, sinceMs);
  const partial = acts.filter(({ kind, hosts }) => kind === 'movePartially' && hosts[0] === host);
  const others = acts.filter((act) => !partial.includes(act));
  figures.none('C4', `${name}: anything but partial moves off it`, others.map(describeAct));
  const apart = partial.slice(1).map((act, index) => {
    const former = partial[index]?.recordedAtMs ?? 0;
    return (act.recordedAtMs - former) / 1000;
  });
  const least = plan.coolTimeSecs - SLACK_SECS;
  const tooSoon = apart.filter((secs) => secs < least).map((secs) => `${secs.toFixed(1)} s`);
  figures.none('C4', `${name}: partial moves within ${plan.coolTimeSecs} s`, tooSoon);
  const count = String(partial.length);
  if (plan.mustAct) {
    figures.holds('C4', `${name}: partial moves`, count, '> 0', partial.length > 0);
  } else figures.state('C4', `${name}: partial moves`, count);
  const changes = rig.observer.statusChanges.filter(({ atMs }) => atMs >= sinceMs);
  figures.none(
    'C4',
    `${name}: status changes`,
    changes.map(({ host: of, to }) => `${of} ${to}`),
  );
}

/** Logins work, mail cannot be read or stored: emptied, offline, and nothing else until it is repaired. */
export async function loseStorage(rig: LabRig, figures: Figures, plan: StoragePlan): Promise<void> {
  const { site, host, awaySecs } = plan;
  const name = `storage of ${host} gone`;
  await rig.bringToRest();
  const sinceMs = Date.now();
  setFault(rig.settings, [host], 'storage');
  const { observer } = rig;
  const offline = await observer.waitFor(({ statuses }) => statuses?.get(host) === 'offline', {
    sinceMs,
    timeoutMs: OFFLINE_LIMIT_SECS * 1000,
  });
  const offlineSecs = offline === null ? null : (offline.atMs - sinceMs) / 1000;
  figures.atMost('C4', `${name}: emptied and offline`, offlineSecs, OFFLINE_LIMIT_SECS, 's');
  await pause(awaySecs);
  const acts = (await actsOn(rig, site, sinceMs)).filter(({ hosts }) => hosts.includes(host));
  const changes = observer.statusChanges.filter(
    (change) => change.host === host && change.atMs >= sinceMs,
  );
  const flaps = changes.slice(1).map(({ to }) => to);
  figures.none('C4', `${name}: status changes in the ${awaySecs} s after that`, flaps);
  figures.state('C4', `${name}: acts`, acts.map(describeAct).join(', '));
  const restoredAtMs = Date.now();
  await restoreBackends(rig.settings, [host]);
  const online = await observer.waitFor(({ statuses }) => statuses?.get(host) === 'online', {
    sinceMs: restoredAtMs,
    timeoutMs: RETURN_LIMIT_SECS * 1000,
  });
  const backSecs = online === null ? null : (online.atMs - restoredAtMs) / 1000;
  figures.atMost('C4', `${name}: repaired to online`, backSecs, RETURN_LIMIT_SECS, 's');
}
