/** The books: sums at every second, the ledger behind them at the end, and no way back from an end. */
import {
  canBecome,
  isEnded,
  OPERATION_STATES,
  type Operation,
  type OperationState,
} from '../../../workflows/domain/operation.ts';
import type { LedgerRow, MoveCounts } from '../../../workflows/domain/user-move.ts';
import type { Look, RunRecord, Violation } from '../record.ts';

type Part = Pick<RunRecord, 'looks' | 'operations' | 'ledger'>;

export function checkBooks({ looks, operations, ledger }: Part): Violation[] {
  return [...looks.flatMap(checkSums), ...checkProgress(looks), ...checkLedger(operations, ledger)];
}

const nameOf = ({ kind, operationId, sourceHost }: Operation): string =>
  `${kind} ${operationId} of ${sourceHost}`;

const sumOf = ({ confirmed, skipped, failed, remaining }: MoveCounts): number =>
  confirmed + skipped + failed + remaining;

function checkSums({ fromMs, sites }: Look): Violation[] {
  const operations = sites.flatMap((site) => site?.operations ?? []);
  return operations
    .filter(({ counts }) => counts.planned !== sumOf(counts) || counts.remaining < 0)
    .map((operation) => ({
      invariant: 'planned = confirmed + skipped + failed + remaining',
      detail: `${nameOf(operation)}: ${JSON.stringify(operation.counts)}`,
      atMs: fromMs,
    }));
}

/** From one look to the next: allowed states only, nothing confirmed is forgotten, an end is an end. */
function checkProgress(looks: readonly Look[]): Violation[] {
  const last = new Map<string, Operation>();
  const found: Violation[] = [];
  for (const { fromMs, sites } of looks) {
    for (const now of sites.flatMap((site) => site?.operations ?? [])) {
      const before = last.get(now.operationId);
      last.set(now.operationId, now);
      if (before === undefined || before.updatedAtMs > now.updatedAtMs) continue;
      const wrong = findWrong(before, now);
      if (wrong === null) continue;
      found.push({
        invariant: 'an operation only goes forward',
        detail: `${nameOf(now)}: ${wrong}`,
        atMs: fromMs,
      });
    }
  }
  return found;
}

function findWrong(before: Operation, now: Operation): string | null {
  if (!canReach(before.state, now.state)) return `from ${before.state} to ${now.state}`;
  if (isEnded(before.state) && sumOf(before.counts) !== sumOf(now.counts)) {
    return `counts change after its end`;
  }
  if (now.counts.confirmed < before.counts.confirmed) {
    return `confirmed falls from ${before.counts.confirmed} to ${now.counts.confirmed}`;
  }
  return now.round < before.round ? `round falls from ${before.round} to ${now.round}` : null;
}

/** In any number of allowed steps: a second is long. */
function canReach(from: OperationState, to: OperationState): boolean {
  const reached = new Set<OperationState>([from]);
  for (const state of reached) {
    for (const next of OPERATION_STATES) if (canBecome(state, next)) reached.add(next);
  }
  return reached.has(to);
}

/** The row of an ended operation says what its ledger says, a user stands there once, nothing is open. */
function checkLedger(operations: readonly Operation[], ledger: readonly LedgerRow[]): Violation[] {
  const byOperation = Map.groupBy(ledger, ({ operationId }) => operationId);
  return operations.flatMap((operation): Violation[] => {
    if (operation.endedAtMs === null) return [];
    const rows = byOperation.get(operation.operationId) ?? [];
    const { counts } = operation;
    const count = (state: LedgerRow['state']): number =>
      rows.filter((row) => row.state === state).length;
    const told = [counts.planned, counts.confirmed, counts.skipped, counts.failed].join();
    const real = [rows.length, count('confirmed'), count('skipped'), count('failed')].join();
    const users = new Set(rows.map(({ username }) => username));
    const wrongs = [
      ...(told === real ? [] : [`row says ${told}, ledger says ${real}`]),
      ...(users.size === rows.length ? [] : [`${rows.length - users.size} users twice`]),
    ];
    return wrongs.map((wrong) => ({
      invariant: 'an ended operation and its ledger say the same',
      detail: `${nameOf(operation)}, ${operation.state}: ${wrong}`,
      atMs: operation.endedAtMs ?? 0,
    }));
  });
}
