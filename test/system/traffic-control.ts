/** What the clients of the lab saw. */
import type { TrafficSummary } from '../../lab/mail/traffic/traffic-stats.ts';
import type { LabSettings } from '../../lab/mail/lab-settings.ts';
import { eventually } from '../support/eventually.ts';

interface TrafficReport {
  readonly sinceMark: TrafficSummary;
  readonly attemptsPerSecond: Readonly<Record<string, number>>;
  readonly deliveriesWaiting: number;
}

const SETTLE_MS = 90_000;
/** New ones start all the time: so many are normally on their way. */
const FEW_DELIVERIES = 8;

/** Counts from now on. */
export async function markTraffic({ traffic }: LabSettings): Promise<void> {
  await fetch(`${traffic}/mark`, { method: 'POST' });
}

export async function readTraffic({ traffic }: LabSettings): Promise<TrafficReport> {
  return (await (await fetch(`${traffic}/stats`)).json()) as TrafficReport;
}

/** Until what could not be delivered during a fault has been tried again. */
export async function awaitDeliveries(settings: LabSettings): Promise<void> {
  const isSettled = async (): Promise<boolean> =>
    (await readTraffic(settings)).deliveriesWaiting <= FEW_DELIVERIES;
  const options = { timeoutMs: SETTLE_MS, intervalMs: 500 };
  await eventually('deliveries are no longer waiting', isSettled, options);
}
