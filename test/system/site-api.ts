/** The REST API of one site, as an operator's script would use it. */
import type { z } from '@hono/zod-openapi';
import type { MoveView } from '../../api/schemas/cluster.ts';
import type { DecisionView } from '../../api/schemas/decision.ts';
import type { OperationView } from '../../api/schemas/operation.ts';
import type { OverviewView } from '../../api/schemas/overview.ts';
import { describeError } from '../../platform/describe-error.ts';

type Move = z.infer<typeof MoveView>;
export type { DecisionView, Move, OperationView, OverviewView };

const TIMEOUT_MS = 10_000;
/** A machine under load, or an API that is just started again. */
export const PATIENT = 4;
const RETRY_MS = 1_000;
const PAGE = 1_000;
const RECENT_OPERATIONS = 200;

export interface SiteApi {
  readOverview(): Promise<OverviewView>;
  /** Newest first. */
  readOperations(): Promise<readonly OperationView[]>;
  readOperation(operationId: string): Promise<OperationView>;
  readLedger(operationId: string): Promise<readonly Move[]>;
  /** Recorded or repeated at or after that time. */
  readDecisionsSince(sinceMs: number): Promise<readonly DecisionView[]>;
  /** How the decision comes out when it is made again from its snapshot. */
  replayDecision(decisionId: string): Promise<string>;
  setSpeed(operationId: string, speedPercent: number): Promise<void>;
  /** Asks for an evacuation by hand. */
  evacuate(host: string, speedPercent?: number): Promise<OperationView>;
  /** One change, asked once; status 0: no answer. `answer`: the code of a refusal, or the operation's id. */
  send(
    method: 'POST' | 'PUT',
    path: string,
    body: object,
  ): Promise<{ readonly status: number; readonly answer: string }>;
}

/** @param address host:port @param token of an operator */
export function createSiteApi(address: string, token: string, attempts = PATIENT): SiteApi {
  const askOnce = async <T>(path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://${address}/api/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const ask = async <T>(path: string, body?: object): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await askOnce<T>(path, body);
      } catch (error) {
        if (attempt >= attempts) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  };
  const readPages = async <T>(path: string, name: string): Promise<T[]> => {
    const all: T[] = [];
    let cursor: string | null = null;
    do {
      const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await ask<Record<string, unknown>>(`${path}?limit=${PAGE}${query}`);
      all.push(...(page[name] as T[]));
      cursor = page['cursor'] as string | null;
    } while (cursor !== null);
    return all;
  };
  return {
    readOverview: () => ask('/overview'),
    readOperations: async () => {
      const path = `/operations?limit=${RECENT_OPERATIONS}`;
      return (await ask<{ operations: OperationView[] }>(path)).operations;
    },
    readOperation: (operationId) => ask(`/operations/${operationId}`),
    readLedger: (operationId) => readPages(`/operations/${operationId}/moves`, 'moves'),
    readDecisionsSince: async (sinceMs) => {
      const all = await readPages<DecisionView>('/decisions', 'decisions');
      return all.filter((each) => each.lastRepeatedAtMs >= sinceMs);
    },
    send: (method, path, body) => send(address, token, { method, path, body }),
    replayDecision: async (decisionId) =>
      (await ask<{ outcome: string }>(`/decisions/${decisionId}/replay`)).outcome,
    setSpeed: async (operationId, speedPercent) => {
      await ask(`/operations/${operationId}/speed`, { speedPercent, reason: 'drill' });
    },
    evacuate: (host, speedPercent) =>
      ask(`/backends/${host}/evacuate`, { reason: 'by hand', speedPercent }),
  };
}

async function send(
  address: string,
  token: string,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: object },
): Promise<{ status: number; answer: string }> {
  try {
    const response = await fetch(`http://${address}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const said = (await response.json()) as { code?: string; operationId?: string };
    return { status: response.status, answer: said.code ?? said.operationId ?? '' };
  } catch (error) {
    return { status: 0, answer: describeError(error) };
  }
}
