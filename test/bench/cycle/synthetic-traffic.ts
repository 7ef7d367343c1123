/**
 * What the proxies and Backends of a large site would export. Deterministic in time: logins and deliveries
 * at a steady rate, and now and then a Backend that fails for a while.
 */

export interface SyntheticSite {
  readonly backends: readonly string[];
  readonly proxies: number;
}

/** A Backend and the share of its attempts that fails, for a while. */
export interface Trouble {
  readonly backend: number;
  readonly failedShare: number;
}

const LOGINS_PER_SEC = 4;
const DELIVERIES_PER_SEC = 2;
const KINDS = [
  ['dovecot_proxy_session', LOGINS_PER_SEC],
  ['dovecot_lmtp_rcpt_finished', DELIVERIES_PER_SEC],
] as const;
const GIB = 2 ** 30;

/** Counters of all proxies; a group appears with its first event, as Dovecot's do. */
export class SyntheticTraffic {
  readonly #site: SyntheticSite;
  /** By proxy, then by series. */
  readonly #counters: Map<string, number>[];
  #atSecs: number;

  constructor(site: SyntheticSite, nowSecs: number) {
    this.#site = site;
    this.#counters = Array.from({ length: site.proxies }, () => new Map());
    this.#atSecs = nowSecs;
  }

  /** Counts what happened since the last call. */
  advance(nowSecs: number, troubles: readonly Trouble[]): void {
    const secs = nowSecs - this.#atSecs;
    this.#atSecs = nowSecs;
    const failedShareOf = new Map(troubles.map((each) => [each.backend, each.failedShare]));
    this.#site.backends.forEach((host, index) => {
      const share = failedShareOf.get(index) ?? 0;
      for (const [kind, perSec] of KINDS) {
        const attempts = (perSec * secs * spreadOf(index)) / this.#site.proxies;
        for (const counters of this.#counters) {
          add(counters, `${kind}_success_total{dest_host="${host}"}`, attempts * (1 - share));
          add(counters, `${kind}_failure_total{dest_host="${host}"}`, attempts * share);
        }
      }
    });
  }

  /** Whole events, with the sums of durations that Dovecot exports beside them. */
  proxyText(proxy: number): string {
    const lines: string[] = [];
    for (const [series, value] of this.#counters[proxy] ?? []) {
      if (value < 1) continue;
      lines.push(`${series} ${Math.floor(value)}`);
      lines.push(
        `${series.replace('_total', '_duration_seconds_total')} ${(value / 50).toFixed(6)}`,
      );
    }
    return `${lines.join('\n')}\n`;
  }

  /** All Backends in one answer, each as a cluster service measures it. */
  backendText(): string {
    const lines = this.#site.backends.flatMap((host, index) => {
      const wave = 1 + 0.05 * Math.sin(this.#atSecs / 60 + index);
      const load = spreadOf(index) * wave;
      return [
        `dovekeeper_backend_cpu_cores{host="${host}"} ${(2 * load).toFixed(6)}`,
        `dovekeeper_backend_memory_bytes{host="${host}"} ${Math.round(24 * GIB * load)}`,
        `dovekeeper_backend_metacache_bytes{host="${host}"} ${Math.round(100 * GIB * load)}`,
      ];
    });
    return `${lines.join('\n')}\n`;
  }
}

/** Between 0.9 and 1.1: no two Backends are alike, and none is far from the others. */
function spreadOf(index: number): number {
  return 0.9 + ((index * 7919) % 200) / 1000;
}

function add(counters: Map<string, number>, series: string, by: number): void {
  if (by > 0) counters.set(series, (counters.get(series) ?? 0) + by);
}
