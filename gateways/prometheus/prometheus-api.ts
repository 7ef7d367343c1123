/** The query endpoint of Prometheus, typed. */
import { z } from 'zod';
import type { Metrics } from '../../platform/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { createMeasured } from '../measured.ts';
import type { Measured } from '../measured.ts';

type RawSample = readonly [atSecs: number, value: string];

const labels = z.record(z.string(), z.string());
const sample = z.tuple([z.number(), z.string()]);
const vector = z.array(z.object({ metric: labels, value: sample }));
/** Checked by hand: hundreds of thousands of samples in one answer. */
const samples = z.custom<readonly RawSample[]>(
  (value) => Array.isArray(value) && value.every(isSample),
);
const matrix = z.array(z.object({ metric: labels, values: samples }));
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
  /** Ascending, in epoch seconds. */
  readonly times: readonly number[];
  /** May be NaN or infinite. */
  readonly values: readonly number[];
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
    const { resultType, result } = await this.#query(operation, { query }, signal);
    if (resultType !== 'scalar') throw badAnswer(operation, `a ${resultType}, not a scalar`);
    const value = toValue(operation, result[1]);
    if (!Number.isFinite(value)) throw badAnswer(operation, `"${result[1]}"`);
    return value;
  }

  /** What is no number was not measured: it is left out. */
  async queryVector(operation: string, query: string, signal: AbortSignal): Promise<Sample[]> {
    const { resultType, result } = await this.#query(operation, { query }, signal);
    if (resultType !== 'vector') throw badAnswer(operation, `a ${resultType}, not a vector`);
    return result
      .map(({ metric, value }) => ({ labels: metric, value: toValue(operation, value[1]) }))
      .filter(({ value }) => Number.isFinite(value));
  }

  /** As of `nowSecs` of Prometheus's clock. */
  async queryMatrix(
    operation: string,
    query: string,
    { nowSecs, signal }: { readonly nowSecs: number; readonly signal: AbortSignal },
  ): Promise<Series[]> {
    const asked = { query, time: String(nowSecs) };
    const { resultType, result } = await this.#query(operation, asked, signal);
    if (resultType !== 'matrix') throw badAnswer(operation, `a ${resultType}, not a matrix`);
    return result.map(({ metric, values }) => ({
      labels: metric,
      times: values.map(([atSecs]) => atSecs),
      values: values.map(([, text]) => toValue(operation, text)),
    }));
  }

  #query(operation: string, asked: Record<string, string>, signal: AbortSignal) {
    return this.#measured(operation, async () => {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(asked).toString(),
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

function isSample(value: unknown): value is RawSample {
  return Array.isArray(value) && typeof value[0] === 'number' && typeof value[1] === 'string';
}

const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['+Inf', Number.POSITIVE_INFINITY],
  ['-Inf', Number.NEGATIVE_INFINITY],
]);

/** A value as Prometheus writes it; anything else was not written by a Prometheus. */
function toValue(operation: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return value;
  const special = NOT_FINITE.get(text);
  if (special === undefined) throw badAnswer(operation, `"${text}"`);
  return special;
}

export function badAnswer(operation: string, what: string): GatewayError {
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
