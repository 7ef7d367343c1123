/** Pages of operations, filtered by state. */
import type { OperationPage } from '../gateways/controller-store/controller-store.ts';
import type { Operation, OperationState } from '../workflows/domain/operation.ts';
import type { Dependencies } from './dependencies.ts';

/** A filter that seldom matches looks no further back than this in one request. */
const MAX_PAGES = 10;

export interface OperationPageQuery {
  readonly state?: OperationState | 'open' | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Newest first. A page may be short, even empty: only a null cursor means the end. */
export async function listOperationPage(
  { store, config }: Dependencies,
  { state, limit, cursor = undefined }: OperationPageQuery,
): Promise<OperationPage> {
  if (state === 'open') {
    return { operations: await store.listOpenOperations(config.site), cursor: null };
  }
  const found: Operation[] = [];
  let next: string | null = cursor ?? null;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = await store.listOperations(config.site, {
      limit: limit - found.length,
      cursor: next,
    });
    const fitting = page.operations.filter((each) => state === undefined || each.state === state);
    found.push(...fitting);
    next = page.cursor;
    if (next === null || found.length >= limit) break;
  }
  return { operations: found, cursor: next };
}
