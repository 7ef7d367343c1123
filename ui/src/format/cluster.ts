/** Whether the cluster is all right, as one sentence with evidence: the verdict of the overview. */
import type { Glyph } from '../components/glyphs.ts';
import type { Backend, Operation, Overview } from '../api/model.ts';
import { count, counted, listed, percent, wholePercent } from './number.ts';
import { doneShare, operationTitle, progressTotal } from './operations.ts';
import { blindSentence } from './reasons.ts';
import { duration } from './time.ts';

export type Tone = 'calm' | 'warn' | 'crit' | 'unknown';

export interface TodoRow {
  readonly glyph: Glyph;
  readonly tone: 'crit' | 'warn' | 'ok' | 'mute';
  readonly name: string;
  readonly href: string | null;
  /** Since when; null where it is not known. */
  readonly sinceMs: number | null;
  readonly state: string;
  readonly text: string;
  readonly action: { readonly label: string; readonly href: string } | null;
}

export interface ClusterVerdict {
  readonly tone: Tone;
  readonly glyph: Glyph;
  /** The emphasised answer. */
  readonly lead: string;
  readonly rest: string;
  readonly sub: string;
  readonly todo: readonly TodoRow[];
}

const MOST_ROWS = 4;

export function backendHref(host: string): string {
  return `/backends/${encodeURIComponent(host)}`;
}

export function operationHref(operationId: string): string {
  return `/operations/${encodeURIComponent(operationId)}`;
}

export function userHref(username: string): string {
  return `/users?name=${encodeURIComponent(username)}`;
}

export function decisionHref(decisionId: string): string {
  return `/decisions?open=${encodeURIComponent(decisionId)}`;
}

/** The verdict of the whole site. */
export function clusterVerdict(overview: Overview): ClusterVerdict {
  if (overview.backends.length === 0) return noBackends(overview);
  if (overview.metrics.isBlind) return blindVerdict(overview);
  const needy = overview.backends.filter(needsAttention);
  if (needy.length === 0) return calmVerdict(overview);
  const rows = [...needy].sort(byNeed).map((backend) => todoRow(backend, overview));
  const isCritical = needy.some(({ verdict }) => verdict === 'critical');
  const isHolding = overview.catastrophe.isHolding;
  return {
    tone: isCritical || isHolding ? 'crit' : 'warn',
    glyph: isCritical || isHolding ? 'critical' : 'degraded',
    lead: `${needy.length} of ${counted(overview.backends.length, 'Backend')} ${needy.length === 1 ? 'needs' : 'need'} attention.`,
    rest: restSentence(overview, needy),
    sub: doingSentence(overview),
    todo: rows.slice(0, MOST_ROWS),
  };
}

/** Failing, or taken out of service by the controller. */
function needsAttention(backend: Backend): boolean {
  if (backend.isOfflineByController) return true;
  return backend.status === 'online' && isFailing(backend);
}

function isFailing({ verdict }: Backend): boolean {
  return verdict === 'critical' || verdict === 'degraded';
}

/** The operation of a Backend that has not ended. */
function operationOf(backend: Backend, overview: Overview): Operation | null {
  const { operationId } = backend;
  if (operationId === null) return null;
  return overview.operations.find((each) => each.operationId === operationId) ?? null;
}

function byNeed(a: Backend, b: Backend): number {
  return need(a) - need(b) || a.host.localeCompare(b.host);
}

function need(backend: Backend): number {
  if (backend.status === 'offline') return 2;
  return backend.verdict === 'critical' ? 0 : 1;
}

function noBackends(overview: Overview): ClusterVerdict {
  return {
    tone: 'unknown',
    glyph: 'unknown',
    lead: `${overview.site.name} has no Backend.`,
    rest: '',
    sub: 'The GeoDB lists none for this Site, so there is nothing to watch.',
    todo: [],
  };
}

function blindVerdict(overview: Overview): ClusterVerdict {
  const was = overview.backends.filter(isFailing).map(({ host, verdict }) => `${host} ${verdict}`);
  const why = blindSentence(overview.metrics.view?.blindReason ?? null);
  return {
    tone: 'crit',
    glyph: 'unknown',
    lead: 'Dovekeeper cannot tell whether the cluster is all right.',
    rest: '',
    sub: `${capital(why)}. ${was.length === 0 ? '' : `What was true before: ${listed(was)}. `}Mail service itself may be fine.`,
    todo: [
      row('blind', 'crit', 'Check', `Prometheus and the proxies it scrapes: ${why}.`, null),
      row('check', 'ok', 'Works', 'User lookup and Operations: they use the GeoDB.', {
        label: 'Find a User',
        href: '/users',
      }),
      row('pause', 'mute', 'Waits', 'Health verdicts and every automatic move.', {
        label: 'View Decisions',
        href: '/decisions',
      }),
    ],
  };
}

function row(
  glyph: Glyph,
  tone: TodoRow['tone'],
  name: string,
  text: string,
  action: TodoRow['action'],
): TodoRow {
  return { glyph, tone, name, href: null, sinceMs: null, state: '', text, action };
}

function calmVerdict(overview: Overview): ClusterVerdict {
  const { counts } = overview;
  const isAll = counts.healthy === counts.online;
  const lead = isAll
    ? `All ${counted(counts.online, 'online Backend')} ${counts.online === 1 ? 'is' : 'are'} healthy.`
    : counts.healthy === 0
      ? 'No Backend is known to fail.'
      : `${count(counts.healthy)} of ${counted(counts.online, 'online Backend')} ${counts.healthy === 1 ? 'is' : 'are'} healthy, none fails.`;
  return {
    tone: isAll && counts.online > 0 ? 'calm' : 'unknown',
    glyph: isAll && counts.online > 0 ? 'healthy' : 'unknown',
    lead,
    rest: restSentence(overview, []),
    sub: doingSentence(overview),
    todo: [],
  };
}

function restSentence(overview: Overview, needy: readonly Backend[]): string {
  const others = overview.backends.filter((backend) => !needy.includes(backend));
  const healthy = others.filter((b) => b.status === 'online' && b.verdict === 'healthy').length;
  const unknown = others.filter((b) => b.status === 'online' && b.verdict === 'unknown').length;
  const standby = others.filter(({ status }) => status === 'standby').length;
  const offline = others.filter(({ status }) => status === 'offline').length;
  const parts = [
    needy.length > 0 && healthy > 0 ? `${healthy} ${is(healthy)} healthy` : '',
    unknown > 0 ? `${unknown} ${is(unknown)} not judged at the moment` : '',
    standby > 0 ? `${standby} ${is(standby)} in standby` : '',
    offline > 0 ? `${offline} ${is(offline)} offline` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `${parts.join(', ')}.`;
}

function is(many: number): string {
  return many === 1 ? 'is' : 'are';
}

function doingSentence(overview: Overview): string {
  if (overview.catastrophe.isHolding) {
    return 'Too many Backends fail at once: catastrophe protection holds every automatic move. Look for a common cause.';
  }
  if (overview.automation.state === 'paused') {
    return 'Automation is paused: nothing happens by itself until it is resumed.';
  }
  const running = overview.operations.filter(({ state }) => state !== 'paused');
  if (running.length > 0) {
    return `Dovekeeper is ${listed(running.map(doing))}. Nothing has to be done by hand right now.`;
  }
  const ratio = overview.counts.siteFailureRatio;
  if (ratio === null) return 'No logins or deliveries were seen in the look-back.';
  // In the past tense: what failed before everybody was moved off counts until the look-back is over.
  const lookBackSecs = Math.max(
    0,
    ...overview.backends.map(({ failure }) => failure?.windowSecs ?? 0),
  );
  const share = `${percent(ratio)} of all logins and deliveries failed`;
  return lookBackSecs === 0 ? `${share}.` : `${share} in the last ${duration(lookBackSecs)}.`;
}

const DOING: Readonly<Record<string, string>> = {
  evacuation: 'evacuating',
  partialMove: 'moving some Users off',
  batchMove: 'moving Users off',
  forceMove: 'forcing Users off',
  drain: 'draining',
  rebalance: 'rebalancing',
};

function doing({ kind, sourceHost }: Operation): string {
  return `${DOING[kind] ?? 'working on'} ${sourceHost}`;
}

function todoRow(backend: Backend, overview: Overview): TodoRow {
  const operation = operationOf(backend, overview);
  const isOffline = backend.status === 'offline';
  const isCritical = backend.verdict === 'critical';
  return {
    glyph: isOffline ? 'offline' : isCritical ? 'critical' : 'degraded',
    tone: isOffline ? 'mute' : isCritical ? 'crit' : 'warn',
    name: backend.host,
    href: backendHref(backend.host),
    sinceMs: isOffline ? null : backend.verdictSinceMs,
    state: isOffline ? 'Offline' : capital(backend.verdict),
    text: todoText(backend, operation, overview),
    action:
      operation === null
        ? { label: 'Why?', href: backendHref(backend.host) }
        : { label: 'View Operation', href: operationHref(operation.operationId) },
  };
}

function todoText(backend: Backend, operation: Operation | null, overview: Overview): string {
  if (backend.status === 'offline') {
    return 'Set offline by Dovekeeper. It returns by itself once the proxies see it answer.';
  }
  if (operation !== null) {
    const total = progressTotal(operation.counts, operation.originalCount);
    const remaining = total - (operation.counts.planned - operation.counts.remaining);
    const share = doneShare({ ...operation.counts, planned: total, remaining });
    const what = operationTitle(operation).split(' of ')[0] ?? 'Operation';
    const paused = operation.state === 'paused' ? ', paused' : '';
    return `${what} ${wholePercent(share)} done${paused}${operation.kind === 'evacuation' ? '; offline when empty' : ''}.`;
  }
  if (overview.automation.state === 'paused') return 'Automation is paused.';
  return `${counted(backend.users, 'User')} ${backend.users === 1 ? 'lives' : 'live'} there.`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** For the badge of the side bar. */
export function attentionCounts(overview: Overview): {
  readonly total: number;
  readonly critical: number;
  readonly title: string;
} {
  const needy = overview.metrics.isBlind ? [] : overview.backends.filter(needsAttention);
  const critical = needy.filter(({ verdict }) => verdict === 'critical').length;
  const degraded = needy.filter(({ verdict }) => verdict === 'degraded').length;
  return {
    total: needy.length,
    critical,
    title: `${critical} critical, ${degraded} degraded, ${needy.length - critical - degraded} offline`,
  };
}
