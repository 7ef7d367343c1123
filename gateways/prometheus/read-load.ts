/** How loaded the Backends are: a few cheap figures, of which none is needed to judge health. */
import type { Logger } from '../../platform/logger.ts';
import type { BackendLoad } from '../../workflows/domain/metrics.ts';
import { LABELS } from './names.ts';
import type { LoadFigure } from './names.ts';
import type { PrometheusApi } from './prometheus-api.ts';
import type { Queries } from './queries.ts';

const LOAD_WINDOW_SECS = 60;
const LEAST_SCRAPES = 4;
/** Counting a day of samples is dear where no rule records it, and they grow slowly. */
const SAMPLES_KNOWN_FOR_MS = 60_000;
/** Cores to a ten-thousandth, the rest to a whole byte: the further digits are noise. */
const CPU_DIGITS = 10_000;

type ByBackend = ReadonlyMap<string, number>;

export type LoadReader = (
  queries: Queries,
  options: { readonly scrapeIntervalSecs: number; readonly signal: AbortSignal },
) => Promise<Record<string, BackendLoad>>;

/** Never rejects: what cannot be read was not measured. */
export function createLoadReader(api: PrometheusApi, logger: Logger): LoadReader {
  const readFigure = createFigureReader(api, logger);
  const samplesOf = new Map<string, { readonly atMs: number; readonly counts: ByBackend }>();
  const readSamples = async (queries: Queries, signal: AbortSignal): Promise<ByBackend> => {
    const [text = ''] = queries.load('samples', LOAD_WINDOW_SECS);
    const last = samplesOf.get(text);
    if (last !== undefined && Date.now() - last.atMs < SAMPLES_KNOWN_FOR_MS) return last.counts;
    const counts = await readFigure(queries, 'samples', LOAD_WINDOW_SECS, signal);
    if (counts.size === 0) return last?.counts ?? counts;
    samplesOf.set(text, { atMs: Date.now(), counts });
    return counts;
  };
  return async (queries, { scrapeIntervalSecs, signal }) => {
    const windowSecs = Math.max(LOAD_WINDOW_SECS, LEAST_SCRAPES * scrapeIntervalSecs);
    const [cpu, memory, metacache, samples] = await Promise.all([
      readFigure(queries, 'cpu', windowSecs, signal),
      readFigure(queries, 'memoryBytes', windowSecs, signal),
      readFigure(queries, 'metacacheBytes', windowSecs, signal),
      readSamples(queries, signal),
    ]);
    const hosts = new Set([...cpu.keys(), ...memory.keys(), ...metacache.keys()]);
    const loadOf = (host: string): BackendLoad => ({
      cpu: rounded(cpu.get(host), CPU_DIGITS),
      memoryBytes: rounded(memory.get(host), 1),
      metacacheBytes: rounded(metacache.get(host), 1),
      samples: Math.floor(samples.get(host) ?? 0),
    });
    return Object.fromEntries([...hosts].sort().map((host) => [host, loadOf(host)]));
  };
}

function createFigureReader(api: PrometheusApi, logger: Logger) {
  const isFailing = new Set<LoadFigure>();
  return async (
    queries: Queries,
    figure: LoadFigure,
    windowSecs: number,
    signal: AbortSignal,
  ): Promise<ByBackend> => {
    try {
      for (const text of queries.load(figure, windowSecs)) {
        const samples = await api.queryVector(`readLoad ${figure}`, text, signal);
        isFailing.delete(figure);
        if (samples.length === 0) continue;
        return new Map(samples.map(({ labels, value }) => [labels[LABELS.backend] ?? '', value]));
      }
    } catch (error) {
      // Said once, not every few seconds; balancing says of each Backend that it was not measured.
      if (!isFailing.has(figure)) logger.warn({ error, figure }, 'load cannot be read');
      isFailing.add(figure);
    }
    return new Map();
  };
}

function rounded(value: number | undefined, digits: number): number | null {
  return value === undefined ? null : Math.round(value * digits) / digits;
}
