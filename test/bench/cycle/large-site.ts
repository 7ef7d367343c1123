/** The large site of the cycle table: its names, addresses and the settings of its controller. */
import { labId } from '../../../lab/mail/seed-geodb.ts';
import type { Trouble } from './synthetic-traffic.ts';

export interface LargeSite {
  readonly name: string;
  readonly id: string;
  readonly backends: readonly {
    readonly host: string;
    readonly id: string;
    readonly address: string;
  }[];
  readonly proxies: readonly string[];
  readonly users: number;
}

const PROXIES = 4;
const HOSTS_A_NET = 250;
const FIRST_OCTET = 100;
const PROXY_OCTET = 120;
/** Every so often one Backend fails for good, and another one a little. */
const TROUBLE_EVERY_SECS = 150;
const TROUBLE_SECS = 75;
const CRITICAL_SHARE = 0.98;
const DEGRADED_SHARE = 0.2;

export function largeSite(net: number, backends: number, users: number): LargeSite {
  return {
    name: 'cycle',
    id: labId('cycle'),
    backends: Array.from({ length: backends }, (_, index) => {
      const host = `mail${String(index + 1).padStart(3, '0')}.cycle.example.com`;
      const octet = FIRST_OCTET + Math.floor(index / HOSTS_A_NET);
      return { host, id: labId(host), address: `127.${net}.${octet}.${(index % HOSTS_A_NET) + 1}` };
    }),
    proxies: Array.from({ length: PROXIES }, (_, index) => `proxy${index + 1}`),
    users,
  };
}

/** Which Backends fail at that time: always the same ones, counted from `sinceSecs`. */
export function troublesAt(site: LargeSite, sinceSecs: number, nowSecs: number): Trouble[] {
  const elapsed = nowSecs - sinceSecs;
  const turn = Math.floor(elapsed / TROUBLE_EVERY_SECS);
  if (turn < 0 || elapsed % TROUBLE_EVERY_SECS > TROUBLE_SECS) return [];
  const pick = (step: number): number => (turn * 37 + step) % site.backends.length;
  return [
    { backend: pick(0), failedShare: CRITICAL_SHARE },
    { backend: pick(11), failedShare: DEGRADED_SHARE },
  ];
}

/** The product's defaults, which the lab shortens, but for the rhythm of the tasks that is asked for. */
export function settingsOf(
  net: number,
  site: LargeSite,
  { prometheusUrl, intervalSecs }: { prometheusUrl: string; intervalSecs: number },
): Record<string, string> {
  const addresses = [
    ...site.backends.map(({ host, address }) => `${host}=${address}`),
    ...site.proxies.map((name, index) => `${name}=127.${net}.${PROXY_OCTET}.${index + 1}`),
  ];
  const shortened = [
    'HOST_FAILURE_CRITICAL_WINDOW_SECS',
    'HOST_FAILURE_WINDOW_SECS',
    'HOST_FAILURE_MIN_LOGINS',
    'HOST_FAILURE_COOL_TIME_SECS',
    'HOST_LOAD_BALANCE_BACKEND_COOL_TIME_SECS',
    'HOST_LOAD_BALANCE_MIN_SAMPLES',
    'HOST_RECOVERY_MIN_SUCCESSES',
    'HOST_RECOVERY_WINDOW_SECS',
    'HOST_RECOVERY_MAX_HOLD_SECS',
    'USER_MOVE_STUCK_SECS',
    'USER_MOVE_MAX_RETRIES',
    'CACHE_METRICS_INTERVAL_SECS',
    'CHECK_USER_MOVES_INTERVAL_SECS',
  ];
  return {
    ...Object.fromEntries(shortened.map((name) => [name, ''])),
    CLUSTER_SITE: site.name,
    PROXY_HOSTS: site.proxies.join(','),
    HOST_ADDRESSES: addresses.join(','),
    PROMETHEUS_URL: prometheusUrl,
    REBALANCE_SITES_INTERVAL_SECS: String(intervalSecs),
    CHECK_BACKEND_HEALTH_INTERVAL_SECS: String(intervalSecs),
    EVACUATE_ZERO_LOAD_FACTOR_HOSTS_INTERVAL_SECS: String(intervalSecs),
    CHECK_SITE_REACHABILITY_INTERVAL_SECS: String(intervalSecs),
  };
}
