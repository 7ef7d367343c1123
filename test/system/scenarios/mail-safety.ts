/** A3: what a fault did to mail and to the people at their clients. */
import { auditMail } from '../../../lab/mail/audit-mail.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import { awaitDeliveries, readTraffic } from '../traffic-control.ts';

export interface Watched {
  readonly name: string;
  /** The Backend that failed. */
  readonly host: string;
  readonly sinceMs: number;
}

const DOUBLE_SESSION_SECS = 2;

/** Live sessions of one user on two Backends at a time. A silent Backend shows none. */
export function measureSessions(rig: LabRig, figures: Figures, { name, sinceMs }: Watched): void {
  const samples = rig.observer.samples.filter(({ atMs }) => atMs >= sinceMs);
  const backends = rig.lab.sites.flatMap((site) => site.backends).length;
  const whole = samples.filter(({ sessions }) => sessions.size === backends).length;
  const looks = `${samples.length} looks, at all Backends ${whole}`;
  figures.holds('A3', `${name}: who is logged in`, looks, '> 0 at all', whole > 0);
  const since = rig.observer.doubles.filter(({ untilMs }) => untilMs >= sinceMs);
  const long = since.filter((each) => each.untilMs - each.sinceMs > DOUBLE_SESSION_SECS * 1000);
  figures.none(
    'A3',
    `${name}: users on two Backends for over ${DOUBLE_SESSION_SECS} s`,
    long.map(
      ({ user, hosts, sinceMs: from, untilMs }) =>
        `${user} ${hosts.join('+')} ${untilMs - from} ms`,
    ),
  );
}

/** No acknowledged delivery is lost, doubles only after a lost acknowledgement. */
export async function measureMail(rig: LabRig, figures: Figures, watched: Watched): Promise<void> {
  const { name, host, sinceMs } = watched;
  const { sinceMark } = await readTraffic(rig.settings);
  await awaitDeliveries(rig.settings);
  const backends = rig.lab.sites.flatMap((site) => site.backends.map((each) => each.name));
  const audit = await auditMail(rig.settings, {
    sinceMs,
    backends: backends.filter((each) => each !== host),
  });
  figures.holds(
    'A3',
    `${name}: deliveries acknowledged`,
    String(audit.accepted),
    '> 0',
    audit.accepted > 0,
  );
  figures.none('A3', `${name}: acknowledged and lost`, audit.lost);
  figures.none('A3', `${name}: doubled without a lost acknowledgement`, audit.unexplainedDoubles);
  figures.none('A3', `${name}: mailboxes that could not be read`, audit.unread);
  figures.state(
    'A3',
    `${name}: doubled after a lost acknowledgement`,
    String(audit.doubled.length),
  );
  const { attempts, failedShare } = sinceMark.logins;
  const percent = `${(failedShare * 100).toFixed(1)} % of ${attempts}`;
  figures.state('A3', `${name}: failed logins`, percent);
  const { longestMs, count } = sinceMark.gaps;
  figures.state(
    'A3',
    `${name}: longest gap of a client`,
    `${(longestMs / 1000).toFixed(1)} s (${count} gaps)`,
  );
}
