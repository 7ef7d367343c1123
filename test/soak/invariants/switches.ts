/** What automation may not do: start or go on while it is switched off, blind, or held by protection. */
import { isAutomatic, type Operation } from '../../../workflows/domain/operation.ts';
import type { RecordedDecision } from '../../../workflows/domain/decision.ts';
import type { LedgerRow } from '../../../workflows/domain/user-move.ts';
import type { Look, RunRecord, SiteLook, Violation } from '../record.ts';
import { siteOfHost } from '../site-parts.ts';
import { heldSince, spansWhere, type Span } from './spans.ts';

type Part = Pick<RunRecord, 'looks' | 'limits' | 'operations' | 'ledger' | 'decisions' | 'acting'>;

/** A task takes a while itself, and so does a chunk that was sent just before. */
const SLACK_MS = 5_000;

export function checkSwitches(record: Part): Violation[] {
  return [...checkDecisions(record), ...checkOperations(record)];
}

/** What an acting decision saw must have allowed it. */
function checkDecisions({ acting }: Part): Violation[] {
  return acting.flatMap(({ decision, automation, isBlind, feature }): Violation[] => {
    const isDrain = decision.kind === 'drain';
    const wrongs = [
      ...(automation === 'paused' ? ['automation was paused'] : []),
      ...(isBlind && !isDrain ? ['it was blind'] : []),
      ...(feature !== null && feature !== 'enabled' ? [`its feature was ${feature}`] : []),
    ];
    return wrongs.map((wrong) => ({
      invariant: 'automation decides to act only when it may',
      detail: `${decision.kind} ${decision.hosts.join()} although ${wrong}`,
      atMs: decision.recordedAtMs,
    }));
  });
}

/** From one cycle later on nothing starts, and (except when blind) nothing is sent for the first time. */
function checkOperations({ looks, limits, operations, ledger, decisions }: Part): Violation[] {
  const graceMs = limits.cycleSecs * 1000 + SLACK_MS;
  const rows = Map.groupBy(ledger, ({ operationId }) => operationId);
  const decidedAt = new Map(decisions.map((each) => [each.decisionId, each.recordedAtMs]));
  return operations
    .filter(({ cause }) => isAutomatic(cause))
    .flatMap((operation) =>
      holdsOver(operation, looks, decisions).flatMap(({ why, spans, isOnlyForStarts }) => {
        const isHeldAt = (atMs: number): boolean => heldSince(spans, atMs, graceMs);
        const decidedAtMs = decidedAt.get(operation.decisionId ?? '') ?? operation.createdAtMs;
        const name = `${operation.kind} ${operation.operationId} of ${operation.sourceHost}`;
        const started: Violation[] = isHeldAt(decidedAtMs)
          ? [{ invariant: `nothing automatic starts: ${why}`, detail: name, atMs: decidedAtMs }]
          : [];
        if (isOnlyForStarts) return started;
        const sent = (rows.get(operation.operationId) ?? []).filter(
          (row) => isFirstSend(row) && isHeldAt(row.sentAtMs ?? 0),
        );
        const chunks = Map.groupBy(sent, ({ chunk }) => chunk);
        return [
          ...started,
          ...[...chunks].map(([chunk, [first]]) => ({
            invariant: `nothing automatic is sent: ${why}`,
            detail: `chunk ${chunk} of ${name}`,
            atMs: first?.sentAtMs ?? 0,
          })),
        ];
      }),
    );
}

/** To finish what was sent is no new move. */
const isFirstSend = ({ attempts, sentAtMs }: LedgerRow): boolean =>
  attempts === 1 && sentAtMs !== null;

interface Hold {
  readonly why: string;
  readonly spans: readonly Span[];
  readonly isOnlyForStarts: boolean;
}

function holdsOver(
  operation: Operation,
  looks: readonly Look[],
  decisions: readonly RecordedDecision[],
): Hold[] {
  const { sourceHost: host, cause } = operation;
  const siteName = siteOfHost(host);
  const where = (isSo: (site: SiteLook) => boolean): Span[] =>
    spansWhere(looks, ({ sites }) => {
      const site = sites.find((each) => each?.site === siteName);
      return site === undefined || site === null ? null : isSo(site);
    });
  const paused: Hold = {
    why: 'automation is paused',
    spans: where(({ automation }) => automation === 'paused'),
    isOnlyForStarts: false,
  };
  const catastrophe: Hold = {
    why: 'catastrophe protection holds',
    spans: decisionSpans(decisions, siteName, 'CatastropheProtection'),
    isOnlyForStarts: false,
  };
  if (cause === 'drain') return [paused];
  return [
    paused,
    catastrophe,
    {
      why: 'its feature is not enabled',
      spans: where(({ healthFeature, balanceFeature }) => {
        const states = cause === 'rebalance' ? balanceFeature : healthFeature;
        return states.get(host) !== 'enabled';
      }),
      isOnlyForStarts: false,
    },
    {
      why: 'blind',
      spans: decisionSpans(decisions, siteName, 'Blind'),
      isOnlyForStarts: true,
    },
  ];
}

/** While the health check says so again and again, about the site as a whole. */
function decisionSpans(
  decisions: readonly RecordedDecision[],
  siteName: string,
  reason: 'CatastropheProtection' | 'Blind',
): Span[] {
  return decisions
    .filter(
      (each) =>
        each.siteName === siteName &&
        each.kind === 'nothing' &&
        each.reason === reason &&
        (reason === 'Blind' || each.detail === 'site'),
    )
    .map(({ recordedAtMs, lastRepeatedAtMs }) => ({
      fromMs: recordedAtMs,
      untilMs: lastRepeatedAtMs,
    }));
}
