/** How many at once, and how soon again. */
import type { OperationKind } from '../../../workflows/domain/operation.ts';
import type { RunRecord, Violation } from '../record.ts';
import { effectiveChanges } from './homes.ts';

type Part = Pick<RunRecord, 'looks' | 'limits' | 'hosts' | 'operations' | 'ledger' | 'homeLog'>;

/** Sender and log do not write at the same instant. */
const SLACK_MS = 1_000;

export function checkLimits(record: Part): Violation[] {
  return [...checkInflow(record), ...checkParallel(record), ...checkCoolTimes(record)];
}

/** What takes longer is stuck: movers of other sources no longer wait for it. */
const SENDING_MS = 10_000;

/**
 * Users on their way to one Backend, by all movers of its site. A single chunk may always go: without
 * that, a limit below its size would stop everything.
 */
function checkInflow({ looks, limits, hosts }: Part): Violation[] {
  return looks.flatMap(({ fromMs, sites }) =>
    sites.flatMap((site): Violation[] => {
      // Without an attempt it is only about to be sent: two who see each other then both step back.
      const sent = (site?.inFlight ?? []).filter(
        ({ attempts, sentAtMs }) => attempts > 0 && sentAtMs > fromMs - SENDING_MS,
      );
      const byTarget = Map.groupBy(sent, ({ targetId }) => targetId);
      return [...byTarget].flatMap(([targetId, chunks]): Violation[] => {
        const users = chunks.reduce((sum, { remaining }) => sum + remaining, 0);
        if (users <= limits.maxParallelInflow || chunks.length === 1) return [];
        const detail = `${users} users in ${chunks.length} chunks on their way to ${hosts.get(targetId)}`;
        return [{ invariant: 'MAX_PARALLEL_INFLOW', detail, atMs: fromMs }];
      });
    }),
  );
}

/** Users whose move the source has begun and not ended. */
function checkParallel({ looks, limits }: Part): Violation[] {
  return looks.flatMap(({ fromMs, cluster }) =>
    [...(cluster?.moving ?? [])]
      .filter(([, users]) => users > limits.maxParallelMoves)
      .map(([host, users]) => ({
        invariant: 'MAX_PARALLEL_MOVES',
        detail: `${users} users are being moved off ${host}`,
        atMs: fromMs,
      })),
  );
}

/** Only partial moves and balancing know a cool time: nothing keeps a user on a critical Backend. */
function checkCoolTimes({ limits, hosts, operations, ledger, homeLog }: Part): Violation[] {
  const secsOf: Partial<Readonly<Record<OperationKind, number>>> = {
    partialMove: limits.failureCoolTimeSecs,
    rebalance: limits.balanceCoolTimeSecs,
  };
  const kinds = new Map(operations.map(({ operationId, kind }) => [operationId, kind]));
  const logByUser = Map.groupBy(homeLog, ({ user }) => user);
  const rowsByUser = Map.groupBy(ledger, ({ username }) => username);
  return [...rowsByUser].flatMap(([user, rows]) => {
    const forced = rows.filter(({ isForced, state }) => isForced && state === 'confirmed');
    const changes = effectiveChanges(logByUser.get(user) ?? [], forced, hosts);
    return rows.flatMap(({ operationId, state, sentAtMs, sourceId }): Violation[] => {
      const kind = kinds.get(operationId);
      const secs = kind === undefined ? undefined : secsOf[kind];
      if (secs === undefined || state !== 'confirmed' || sentAtMs === null) return [];
      const arrived = changes.filter(
        ({ atMs, to }) => atMs < sentAtMs && to === hosts.get(sourceId),
      );
      const agoMs = sentAtMs - Math.max(0, ...arrived.map(({ atMs }) => atMs));
      if (agoMs >= secs * 1000 - SLACK_MS) return [];
      const detail = `${user} was moved ${agoMs} ms before ${kind} ${operationId}`;
      return [{ invariant: 'a user rests between moves', detail, atMs: sentAtMs }];
    });
  });
}
