/** Counters and gauges of this process in OpenMetrics text. */

export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  add(name: string, labels?: Labels, amount?: number): void;
  set(name: string, value: number, labels?: Labels): void;
  /** The text of an OpenMetrics answer. */
  print(): string;
}

export const METRICS_CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** What each metric is; a counter is printed with `_total`. */
const DESCRIPTIONS: Readonly<Record<string, readonly ['counter' | 'gauge', string]>> = {
  dovekeeper_backend_cpu_cores: ['gauge', 'CPU of this Dovecot, in cores'],
  dovekeeper_backend_memory_bytes: ['gauge', 'Private memory of this Dovecot'],
  dovekeeper_backend_metacache_bytes: [
    'gauge',
    'Index and cache files of the users of this Backend',
  ],
  dovekeeper_proxy_cpu_cores: ['gauge', 'CPU of this Dovecot, in cores'],
  dovekeeper_proxy_memory_bytes: ['gauge', 'Private memory of this Dovecot'],
  dovekeeper_lookup: ['counter', 'Login lookups by outcome'],
  dovekeeper_lookup_by_news: ['counter', 'Logins whose Backend had just said where they go'],
  dovekeeper_lookup_seconds: ['counter', 'Time spent in login lookups'],
  dovekeeper_lookup_from_memory: ['gauge', '1 while the GeoDB is silent'],
  dovekeeper_probe: ['counter', 'Probes of offline Backends'],
  dovekeeper_site_reachable: ['gauge', '1 where the load balancer of a site greets'],
  dovekeeper_moves: ['counter', 'User moves of this Backend by result'],
  dovekeeper_passed_on: ['counter', 'Logins of users who live elsewhere by now'],
  dovekeeper_corrections: ['counter', 'What was put right after a start or a thaw'],
};

/** No series exists before it was counted or set for the first time. */
export function createMetrics(): Metrics {
  const series = new Map<string, Map<string, number>>();
  const seriesOf = (name: string) => {
    const found = series.get(name) ?? new Map<string, number>();
    series.set(name, found);
    return found;
  };
  return {
    add(name, labels = {}, amount = 1) {
      const key = printLabels(labels);
      seriesOf(name).set(key, (seriesOf(name).get(key) ?? 0) + amount);
    },
    set(name, value, labels = {}) {
      seriesOf(name).set(printLabels(labels), value);
    },
    print() {
      const blocks = [...series].map(([name, values]) => printMetric(name, values));
      return `${blocks.join('')}# EOF\n`;
    },
  };
}

function printMetric(name: string, values: ReadonlyMap<string, number>): string {
  const [type, description] = DESCRIPTIONS[name] ?? ['gauge', name];
  const suffix = type === 'counter' ? '_total' : '';
  const lines = [...values].map(([labels, value]) => `${name}${suffix}${labels} ${value}\n`);
  return `# HELP ${name} ${description}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function printLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeLabel = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
