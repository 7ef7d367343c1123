import type { FakeExporter } from '../gateways/prometheus-rig.ts';

const ATTEMPTS_A_TICK = 3;
const TICK_MS = 200;

/**
 * What the proxies count, until stopped: every Backend gets logins and deliveries, and those that are failing
 * at the time fail them.
 */
export function playTraffic(
  exporters: readonly FakeExporter[],
  hosts: readonly string[],
  failing: ReadonlySet<string>,
): () => void {
  const timer = setInterval(() => {
    for (const exporter of exporters) countAttempts(exporter, hosts, failing);
  }, TICK_MS);
  return () => {
    clearInterval(timer);
  };
}

function countAttempts(
  exporter: FakeExporter,
  hosts: readonly string[],
  failing: ReadonlySet<string>,
): void {
  for (const host of hosts) {
    const outcome = failing.has(host) ? 'failure' : 'success';
    for (const event of ['proxy_session', 'lmtp_rcpt_finished']) {
      exporter.count(`dovecot_${event}_${outcome}_total{dest_host="${host}"}`, ATTEMPTS_A_TICK);
    }
  }
}
