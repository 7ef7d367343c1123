/** Where people live: nobody is lost, nobody is in two places, and every change of a home is somebody's. */
import type { Operation } from '../../../workflows/domain/operation.ts';
import type { LedgerRow } from '../../../workflows/domain/user-move.ts';
import type { LoggedHomeChange } from '../../system/home-changes.ts';
import type { RunRecord, SeenChange, Violation } from '../record.ts';
import { timesOf, type Span } from './spans.ts';

type Part = Pick<
  RunRecord,
  | 'looks'
  | 'changes'
  | 'doubles'
  | 'operations'
  | 'ledger'
  | 'homeLog'
  | 'faults'
  | 'hosts'
  | 'usersAtStart'
>;

/** A user on two Backends at once for longer than this is a violation. */
const DOUBLE_MS = 2_000;
/** A look takes its time, and the log is written by another process. */
const SLACK_MS = 3_000;
/** Whoever could not look, or not act, looks for strangers again after so long. */
const STRANGERS_MS = 35_000;

export function checkHomes(record: Part): Violation[] {
  return [
    ...checkTotal(record),
    ...checkDoubles(record),
    ...checkExplained(record),
    ...checkOnceAnOperation(record),
    ...checkConfirmed(record),
  ];
}

function checkTotal({ looks, usersAtStart, hosts }: Part): Violation[] {
  const known = new Set(hosts.values());
  return looks.flatMap(({ fromMs, cluster }): Violation[] => {
    if (cluster === null) return [];
    const strange = [...cluster.users.keys()].filter((host) => !known.has(host));
    const wrongs = [
      ...(cluster.totalUsers === usersAtStart
        ? []
        : [`${cluster.totalUsers} users, ${usersAtStart} at the start`]),
      ...strange.map((host) => `users live on ${host}, which is no Backend`),
    ];
    return wrongs.map((detail) => ({
      invariant: 'the number of users never changes',
      detail,
      atMs: fromMs,
    }));
  });
}

/**
 * Whoever ends sessions must be able to: while the GeoDB, the Backend or its cluster service is away
 * nobody can tell, or nobody is there to kick; from then on it has until its next look for strangers.
 */
function checkDoubles({ doubles, faults }: Part): Violation[] {
  return doubles
    .filter(({ sinceMs, untilMs }) => untilMs - sinceMs > DOUBLE_MS)
    .filter(({ hosts, sinceMs, untilMs }) => {
      const excuses = faults.filter(
        ({ on }) =>
          on === 'cassandra' || hosts.some((host) => on.split('>').at(-1)?.startsWith(host)),
      );
      return !excuses.some((fault) => {
        const { fromMs, untilMs: endMs } = timesOf(fault);
        return (
          fromMs <= untilMs && endMs + STRANGERS_MS >= untilMs && endMs + STRANGERS_MS >= sinceMs
        );
      });
    })
    .map(({ user, hosts, sinceMs, untilMs }) => ({
      invariant: 'nobody is on two Backends for over 2 s',
      detail: `${user} on ${hosts.join(' and ')} for ${untilMs - sinceMs} ms`,
      atMs: sinceMs,
    }));
}

/** By the ledger of an operation, or by the log of the cluster services. */
function checkExplained({ changes, ledger, homeLog, hosts }: Part): Violation[] {
  const byUser = Map.groupBy(ledger, ({ username }) => username);
  const logByUser = Map.groupBy(homeLog, ({ user }) => user);
  const isOurs = ({ user, to, beforeMs }: SeenChange): boolean =>
    (byUser.get(user) ?? []).some(
      ({ targetId, attempts, sentAtMs }) =>
        hosts.get(targetId) === to && attempts > 0 && (sentAtMs ?? 0) <= beforeMs + STRANGERS_MS,
    );
  const isLogged = ({ user, to, afterMs, beforeMs }: SeenChange): boolean =>
    (logByUser.get(user) ?? []).some(
      (entry) =>
        entry.to === to && entry.atMs >= afterMs - SLACK_MS && entry.atMs <= beforeMs + SLACK_MS,
    );
  return changes
    .filter((change) => !isOurs(change) && !isLogged(change))
    .map(({ user, from, to, beforeMs }) => ({
      invariant: 'a home changes only by an operation, a batch move, a rule or a first login',
      detail: `${user} from ${from} to ${to}`,
      atMs: beforeMs,
    }));
}

interface HomeWrite {
  readonly atMs: number;
  readonly micros: number;
  readonly to: string;
  readonly from: string | null;
}

/**
 * Of all writes of a home only those count that won: the newest timestamp does, whoever comes later
 * with an older one has changed nothing.
 */
export function effectiveChanges(
  log: readonly LoggedHomeChange[],
  forced: readonly LedgerRow[],
  hosts: ReadonlyMap<string, string>,
): { readonly from: string | null; readonly to: string; readonly atMs: number }[] {
  const writes: HomeWrite[] = [
    ...log.map(({ atMs, timestampMicros, to, from }) => {
      return { atMs, micros: timestampMicros ?? atMs * 1000, to, from };
    }),
    ...forced.map((row) => ({
      atMs: row.sentAtMs ?? 0,
      micros: row.moveTimestampMicros ?? 0,
      to: hosts.get(row.targetId) ?? row.targetId,
      from: hosts.get(row.sourceId) ?? row.sourceId,
    })),
  ].sort((a, b) => a.atMs - b.atMs);
  let newest = 0;
  let home: string | null = null;
  const changes: { from: string | null; to: string; atMs: number }[] = [];
  for (const { atMs, micros, to, from } of writes) {
    if (micros <= newest) continue;
    newest = micros;
    const before: string | null = home ?? from;
    if (before !== to) changes.push({ from: before, to, atMs });
    home = to;
  }
  return changes;
}

function checkOnceAnOperation({ operations, ledger, homeLog, hosts }: Part): Violation[] {
  const logByUser = Map.groupBy(homeLog, ({ user }) => user);
  const rowsByUser = Map.groupBy(ledger, ({ username }) => username);
  const byId = new Map(operations.map((each) => [each.operationId, each]));
  const found: Violation[] = [];
  for (const [user, rows] of rowsByUser) {
    const forced = rows.filter(({ isForced, state }) => isForced && state === 'confirmed');
    const changes = effectiveChanges(logByUser.get(user) ?? [], forced, hosts);
    for (const { operationId } of rows) {
      const operation = byId.get(operationId);
      if (operation === undefined) continue;
      const span = spanOf(operation);
      const own = changes.filter(
        ({ from, atMs }) =>
          from === operation.sourceHost && atMs >= span.fromMs && atMs <= span.untilMs,
      );
      if (own.length < 2) continue;
      found.push({
        invariant: 'a home changes at most once an operation',
        detail: `${user}, ${operation.kind} ${operationId}: ${own.map(({ to }) => to).join(', ')}`,
        atMs: own[1]?.atMs ?? 0,
      });
    }
  }
  return found;
}

/** What the books call confirmed was seen, or is in the log. */
function checkConfirmed({ ledger, changes, homeLog, hosts }: Part): Violation[] {
  const seen = new Set([
    ...changes.map(({ user, to }) => `${user} ${to}`),
    ...homeLog.map(({ user, to }) => `${user} ${to}`),
  ]);
  return ledger
    .filter(({ state, isForced }) => state === 'confirmed' && !isForced)
    .filter(({ username, targetId }) => !seen.has(`${username} ${hosts.get(targetId)}`))
    .map(({ username, targetId, operationId, endedAtMs }) => ({
      invariant: 'whoever is confirmed has moved',
      detail: `${username} to ${hosts.get(targetId)} by ${operationId}`,
      atMs: endedAtMs ?? 0,
    }));
}

function spanOf({ createdAtMs, endedAtMs }: Operation): Span {
  return { fromMs: createdAtMs, untilMs: endedAtMs ?? Number.POSITIVE_INFINITY };
}
