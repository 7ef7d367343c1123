/** The query endpoint of Prometheus, typed. */
import { z } from 'zod';
import type { Metrics } from '../../platform/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { createMeasured } from '../measured.ts';
import type { Measured } from '../measured.ts';

const labels = z.record(z.string(), z.string());
const sample = z.tuple([z.number(), z.string()]);
const vector = z.array(z.object({ metric: labels, value: sample }));
const matrix = z.array(z.object({ metric: labels, values: z.array(sample) }));
const answer = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('vector'), result: vector }),
    z.object({ resultType: z.literal('matrix'), result: matrix }),
    z.object({ resultType: z.literal('scalar'), result: sample }),
  ]),
});

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Ascending; times in epoch seconds. */
  readonly samples: readonly { readonly atSecs: number; readonly value: number }[];
}

/** Every method throws GatewayError{system: 'prometheus'}. */
export class PrometheusApi {
  readonly #url: string;
  readonly #measured: Measured;

  constructor(url: string, metrics: Metrics) {
    this.#url = `${url.replace(/\/+$/, '')}/api/v1/query`;
    this.#measured = createMeasured('prometheus', metrics, (error, operation) =>
      toPrometheusError(error, operation),
    );
  }

  async queryScalar(operation: string, query: string, signal: AbortSignal): Promise<number> {
    const { resultType, result } = await this.#query(operation, query, signal);
    if (resultType !== 'scalar') throw badAnswer(operation, `a ${resultType}, not a scalar`);
    return toNumber(operation, result[1]);
  }

  /** `isNaNAbsent`: what was not measured is left out instead of spoiling the whole answer. */
  async queryVector(
    operation: string,
    query: string,
    options: { readonly signal: AbortSignal; readonly isNaNAbsent?: boolean },
  ): Promise<Sample[]> {
    const { resultType, result } = await this.#query(operation, query, options.signal);
    if (resultType !== 'vector') throw badAnswer(operation, `a ${resultType}, not a vector`);
    const isWanted = (text: string): boolean =>
      options.isNaNAbsent !== true || Number.isFinite(Number(text));
    return result
      .filter(({ value }) => isWanted(value[1]))
      .map(({ metric, value }) => ({ labels: metric, value: toNumber(operation, value[1]) }));
  }

  async queryMatrix(operation: string, query: string, signal: AbortSignal): Promise<Series[]> {
    const { resultType, result } = await this.#query(operation, query, signal);
    if (resultType !== 'matrix') throw badAnswer(operation, `a ${resultType}, not a matrix`);
    return result.map(({ metric, values }) => ({
      labels: metric,
      samples: values.map(([atSecs, text]) => ({ atSecs, value: toNumber(operation, text) })),
    }));
  }

  #query(operation: string, query: string, signal: AbortSignal) {
    return this.#measured(operation, async () => {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ query }).toString(),
        redirect: 'error',
        signal,
      });
      const text = await response.text();
      if (!response.ok) throw toStatusError(operation, response.status);
      const parsed = answer.safeParse(parseJson(operation, text));
      if (!parsed.success) throw badAnswer(operation, 'of an unknown shape');
      return parsed.data.data;
    });
  }
}

function parseJson(operation: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badAnswer(operation, 'no JSON');
  }
}

/** Counters and loads are numbers: NaN and infinity are nothing to decide by. */
function toNumber(operation: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw badAnswer(operation, `"${text}"`);
  return value;
}

function badAnswer(operation: string, what: string): GatewayError {
  return new GatewayError(`Prometheus: ${operation}: the answer is ${what}`, {
    system: 'prometheus',
    operation,
    code: 'BadAnswer',
    isTemporary: true,
  });
}

/** 503 is a Prometheus that is starting or overloaded; the rest is an answer that we cannot use. */
function toStatusError(operation: string, status: number): GatewayError {
  const isAway = status === 502 || status === 503 || status === 504;
  const isRefused = status === 401 || status === 403;
  return new GatewayError(`Prometheus: ${operation}: HTTP ${status}`, {
    system: 'prometheus',
    operation,
    code: isAway ? 'Unreachable' : isRefused ? 'Unauthorized' : 'BadAnswer',
    isTemporary: !isRefused,
  });
}

function toPrometheusError(error: unknown, operation: string): GatewayError {
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  const what = isTimeout ? 'no answer in time' : describe(error);
  return new GatewayError(
    `Prometheus: ${operation} failed: ${what}`,
    {
      system: 'prometheus',
      operation,
      code: isTimeout ? 'Timeout' : 'Unreachable',
      isTemporary: true,
    },
    error,
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
