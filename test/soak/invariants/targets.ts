/** Nobody is sent to a Backend that is known to be no place to live. */
import type { LedgerRow } from '../../../workflows/domain/user-move.ts';
import type { FaultRecord } from '../nemesis.ts';
import type { FaultKind } from '../plan.ts';
import type { Look, RunRecord, SiteLook, Violation } from '../record.ts';
import { clusterServiceOf, siteOfHost } from '../site-parts.ts';
import { heldSince, spansWhere, timesOf, type Span } from './spans.ts';

type Part = Pick<RunRecord, 'looks' | 'limits' | 'hosts' | 'ledger' | 'faults' | 'operations'>;

const SLACK_MS = 5_000;

export function checkTargets({
  looks,
  limits,
  hosts,
  ledger,
  faults,
  operations,
}: Part): Violation[] {
  const graceMs = limits.cycleSecs * 1000 + SLACK_MS;
  const kinds = new Map(operations.map(({ operationId, kind }) => [operationId, kind]));
  const reasons = new Map(
    [...hosts.values()].map((host) => [host, unfitSpans(host, looks, faults)]),
  );
  const chunks = Map.groupBy(
    ledger.filter(isFirstSend),
    (row) => `${row.operationId} ${row.chunk}`,
  );
  return [...chunks.values()].flatMap(([row]): Violation[] => {
    if (row === undefined) return [];
    const host = hosts.get(row.targetId) ?? row.targetId;
    const sentAtMs = row.sentAtMs ?? 0;
    return (reasons.get(host) ?? [])
      .filter(({ spans }) => heldSince(spans, sentAtMs, graceMs))
      .map(({ why }) => ({
        invariant: 'nobody is sent to an unfit Backend',
        detail: `chunk ${row.chunk} of ${kinds.get(row.operationId)} ${row.operationId} to ${host}, which is ${why}`,
        atMs: sentAtMs,
      }));
  });
}

/** To finish what was sent is no new move. */
const isFirstSend = ({ attempts, sentAtMs }: LedgerRow): boolean =>
  attempts === 1 && sentAtMs !== null;

interface Unfit {
  readonly why: string;
  readonly spans: readonly Span[];
}

function unfitSpans(host: string, looks: readonly Look[], faults: readonly FaultRecord[]): Unfit[] {
  const cluster = (isSo: (look: NonNullable<Look['cluster']>) => boolean): Span[] =>
    spansWhere(looks, ({ cluster: seen }) => (seen === null ? null : isSo(seen)));
  const site = (isSo: (look: SiteLook) => boolean): Span[] =>
    spansWhere(looks, ({ sites }) => {
      const seen = sites.find((each) => each?.site === siteOfHost(host));
      return seen === undefined || seen === null ? null : isSo(seen);
    });
  return [
    { why: 'not online', spans: cluster(({ statuses }) => statuses.get(host) !== 'online') },
    { why: 'drained', spans: cluster(({ loadFactors }) => loadFactors.get(host) === 0) },
    {
      why: 'critical or degraded',
      spans: site(({ verdicts }) => ['critical', 'degraded'].includes(verdicts.get(host) ?? '')),
    },
    {
      why: 'being emptied',
      spans: site(({ operations }) =>
        operations.some(
          ({ sourceHost, kind, endedAtMs }) =>
            sourceHost === host && endedAtMs === null && ['evacuation', 'drain'].includes(kind),
        ),
      ),
    },
    { why: 'unreachable', spans: unreachableSpans(host, faults) },
  ];
}

/** What takes the doveadm of a Backend away, as long as it lasts. */
const SILENCING: readonly FaultKind[] = ['backendKill', 'backendFreeze', 'cut'];
const STOPPING: readonly FaultKind[] = ['down', 'stop', 'freeze'];

function unreachableSpans(host: string, faults: readonly FaultRecord[]): Span[] {
  return faults
    .filter(
      ({ kind, on, problem }) =>
        problem === null &&
        ((on === host && SILENCING.includes(kind)) ||
          (on === clusterServiceOf(host) && STOPPING.includes(kind))),
    )
    .map(timesOf);
}
