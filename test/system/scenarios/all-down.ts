/**
 * B3: the controller and all that it stands on is down. Mail does not notice: no login fails and no
 * delivery is refused, also with Cassandra down for users who are known. Afterwards everything goes on.
 */
import type { TrafficSummary } from '../../../lab/mail/traffic/traffic-stats.ts';
import type { Figures } from '../figures.ts';
import type { LabRig } from '../lab-rig.ts';
import { markTraffic, readTraffic } from '../traffic-control.ts';

export interface DownPlan {
  readonly downSecs: number;
}

const READY_MS = 180_000;

export async function takeAllDown(rig: LabRig, figures: Figures, plan: DownPlan): Promise<void> {
  await rig.bringToRest();
  const controllers = rig.lab.sites.flatMap(({ name }) => [`worker-${name}`, `api-${name}`]);
  const parts = [...controllers, 'temporal', 'redis', 'prometheus'];
  const first = `worker, API, Temporal, Redis, Prometheus down ${plan.downSecs} s`;
  await measureMail(rig, figures, { name: first, parts, downSecs: plan.downSecs });
  const second = `Cassandra down as well, ${plan.downSecs} s`;
  const more = { name: second, parts: ['cassandra'], downSecs: plan.downSecs };
  await measureMail(rig, figures, more);
  const startedAtMs = Date.now();
  for (const part of ['cassandra', ...parts.toReversed()]) rig.lab.startPart(part);
  const { isReady } = await rig.lab.waitReady({ deadlineMs: READY_MS });
  const readySecs = isReady ? (Date.now() - startedAtMs) / 1000 : null;
  figures.atMost('B3', 'all started again: ready after', readySecs, READY_MS / 1000, 's');
  await rig.bringToRest();
}

async function kill(rig: LabRig, parts: readonly string[]): Promise<void> {
  await Promise.all(parts.map((part) => rig.lab.killPart(part, { staysDown: true })));
  rig.print(`kill -9: ${parts.join(', ')}`);
}

/** From the kill on, with the kill. */
async function measureMail(
  rig: LabRig,
  figures: Figures,
  down: { readonly name: string; readonly parts: readonly string[]; readonly downSecs: number },
): Promise<void> {
  await markTraffic(rig.settings);
  await kill(rig, down.parts);
  await new Promise((resolve) => setTimeout(resolve, down.downSecs * 1000));
  const { sinceMark } = await readTraffic(rig.settings);
  judge(figures, down.name, sinceMark);
}

function judge(figures: Figures, name: string, { logins, deliveries, loginMs }: TrafficSummary) {
  const { attempts, ok } = logins;
  figures.holds('B3', `${name}: logins`, String(attempts), '> 0', attempts > 0);
  figures.holds('B3', `${name}: failed logins`, String(attempts - ok), '0', attempts === ok);
  const refused = deliveries.attempts - deliveries.accepted;
  const isTaken = deliveries.attempts > 0;
  figures.holds('B3', `${name}: deliveries`, String(deliveries.attempts), '> 0', isTaken);
  figures.holds('B3', `${name}: deliveries not taken`, String(refused), '0', refused === 0);
  const times = `p50 ${loginMs.p50} ms, p99 ${loginMs.p99} ms`;
  figures.state('B3', `${name}: time of a login`, times);
}
