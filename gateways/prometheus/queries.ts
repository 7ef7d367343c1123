/** Every PromQL text that is not a setting. */
import type { PrometheusConfig } from '../../platform/config.ts';
import { LOAD_QUERIES } from './names.ts';
import type { LoadFigure } from './names.ts';

export interface Queries {
  /** Prometheus's own clock: ages are differences to it, never to ours. */
  readonly now: string;
  /** Everything about the proxies in one answer, so that scrapes and counters belong together. */
  attempts(rangeSecs: number): string;
  /** By Backend: the first that answers anything is taken. */
  load(figure: LoadFigure, windowSecs: number): readonly string[];
}

export function createQueries(
  config: Pick<PrometheusConfig, 'proxySelector' | 'counters' | 'loadQueries'>,
  siteName: string,
): Queries {
  const { counters, proxySelector, loadQueries } = config;
  const fill = (text: string, windowSecs: number): string =>
    text
      .replaceAll('$site', () => escapeLabel(siteName))
      .replaceAll('$window', toDuration(windowSecs));
  const names = ['up', ...Object.values(counters)].join('|');
  const proxies = `{__name__=~"${names}",${fill(proxySelector, 0)}}`;
  return {
    now: 'time()',
    attempts: (rangeSecs) => `${proxies}[${toDuration(rangeSecs)}]`,
    load: (figure, windowSecs) => {
      const own = loadQueries[figure];
      return (own === null ? LOAD_QUERIES[figure] : [own]).map((text) => fill(text, windowSecs));
    },
  };
}

/** PromQL knows no fractions of a unit. */
function toDuration(secs: number): string {
  return `${Math.max(1, Math.round(secs * 1000))}ms`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
