/** Conditions that concern every page, the worst first. Each says what, since when, and what it means. */
import type { Glyph } from '../components/glyphs.ts';
import type { Overview } from '../api/model.ts';
import { counted, listed, percentValue } from './number.ts';
import { actorText } from './actors.ts';
import { blindSentence } from './reasons.ts';
import { backendHref, capital, decisionHref } from './cluster.ts';

export interface Condition {
  readonly id: string;
  readonly tone: 'crit' | 'warn' | 'dry' | 'info';
  readonly glyph: Glyph;
  readonly title: string;
  readonly text: string;
  readonly sinceMs: number | null;
  readonly link: { readonly label: string; readonly href: string } | null;
  readonly action: 'resumeAutomation' | null;
}

type Part = Pick<Condition, 'id' | 'tone' | 'glyph' | 'title' | 'text'> & Partial<Condition>;

function condition(part: Part): Condition {
  return { sinceMs: null, link: null, action: null, ...part };
}

/** All conditions of the site as the overview tells them. */
export function conditionsOf(overview: Overview): readonly Condition[] {
  return [
    ...ownership(overview),
    ...neighbours(overview),
    ...blind(overview),
    ...catastrophe(overview),
    ...automation(overview),
    ...unreachable(overview),
    ...overdue(overview),
    ...pausedTasks(overview),
    ...stranded(overview),
    ...foreignMoves(overview),
    ...features(overview),
  ].sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone));
}

const ORDER: readonly Condition['tone'][] = ['crit', 'warn', 'dry', 'info'];

function ownership({ ownership: { isOwner, owner }, site }: Overview): Condition[] {
  if (isOwner !== false) return [];
  return [
    condition({
      id: 'owner',
      tone: 'crit',
      glyph: 'lock',
      title: `This controller does not own ${site.name}.`,
      text: `${owner ?? 'Nobody'} owns it, so this one only watches. npm run site:claim takes it over.`,
    }),
  ];
}

const EFFECTS: Readonly<Record<string, readonly [tone: 'crit' | 'warn', effect: string]>> = {
  cassandra: ['crit', 'Nothing can be decided or changed. Mail flows on to the last known homes.'],
  temporal: [
    'crit',
    'Nothing is decided and no Operation moves on. Mail flows; reading still works.',
  ],
  prometheus: [
    'warn',
    'Without metrics nothing is decided by itself. Operations by hand still work.',
  ],
  redis: ['warn', 'Pages are slower and not live. Decisions are not affected.'],
};

const NAMES: Readonly<Record<string, string>> = {
  cassandra: 'Cassandra',
  temporal: 'Temporal',
  prometheus: 'Prometheus',
  redis: 'Redis',
};

function neighbours({ dependencies, metrics }: Overview): Condition[] {
  // That Prometheus is silent is what "Blind" says already.
  const isSaid = (name: string) => name === 'prometheus' && metrics.isBlind;
  return Object.entries(dependencies)
    .filter(([name, dependency]) => !dependency.ok && !isSaid(name))
    .map(([name, { error }]) => {
      const [tone, effect] = EFFECTS[name] ?? ['warn', ''];
      return condition({
        id: `dependency-${name}`,
        tone,
        glyph: 'unknown',
        title: `${NAMES[name] ?? name} does not answer.`,
        text: `${effect}${error === undefined ? '' : ` (${error})`}`,
        link: { label: 'View Tasks', href: '/tasks' },
      });
    });
}

function blind({ metrics }: Overview): Condition[] {
  if (!metrics.isBlind) return [];
  return [
    condition({
      id: 'blind',
      tone: 'crit',
      glyph: 'blind',
      title: 'Blind.',
      text: `${capital(blindSentence(metrics.view?.blindReason ?? null))}. Health is unknown, so automation starts nothing. What is moving already moves on.`,
      sinceMs: metrics.view?.newestSampleMs ?? null,
      link: { label: 'View Tasks', href: '/tasks' },
    }),
  ];
}

function catastrophe({ catastrophe: state }: Overview): Condition[] {
  if (!state.isHolding) return [];
  const share = percentValue(state.sharePercent);
  return [
    condition({
      id: 'catastrophe',
      tone: 'crit',
      glyph: 'shield',
      title: 'Catastrophe protection holds.',
      text: `${share} of the Backends fail, limit ${percentValue(state.thresholdPercent)}: ${listed(state.failingHosts, 6)}. No automatic move starts and running ones pause, because the rest could not carry everyone. It lets go by itself.`,
      sinceMs: state.sinceMs,
      link:
        state.decisionId === null
          ? null
          : { label: 'View Decision', href: decisionHref(state.decisionId) },
    }),
  ];
}

function automation({ automation: state }: Overview): Condition[] {
  if (state.state !== 'paused') return [];
  const by = state.setBy === null ? '' : ` by ${actorText(state.setBy)}`;
  const why = state.reason === null ? '' : `: “${state.reason}”`;
  return [
    condition({
      id: 'automation',
      tone: 'warn',
      glyph: 'pause',
      title: 'Automation is paused',
      text: `${by}${why}. Nothing starts by itself.`,
      sinceMs: state.setAtMs,
      action: 'resumeAutomation',
    }),
  ];
}

function unreachable({ backends }: Overview): Condition[] {
  const silent = backends.filter(({ doveadm }) => doveadm?.isReachable === false);
  if (silent.length === 0) return [];
  const isOne = silent.length === 1;
  return [
    condition({
      id: 'unreachable',
      tone: 'warn',
      glyph: 'x',
      title: `doveadm of ${listed(silent.map(({ host }) => host))} ${isOne ? 'is' : 'are'} not reachable.`,
      text: `No User is moved to ${isOne ? 'it' : 'them'}; moves off ${isOne ? 'it' : 'them'} are forced.`,
      sinceMs: Math.min(...silent.map(({ doveadm }) => doveadm?.sinceMs ?? Infinity)),
      link: { label: 'View Backends', href: '/backends' },
    }),
  ];
}

function overdue({ overdueTasks, automation: { state } }: Overview): Condition[] {
  if (overdueTasks.length === 0 || state === 'paused') return [];
  return [
    condition({
      id: 'overdue',
      tone: 'warn',
      glyph: 'clock',
      title: `${listed(overdueTasks)} ${overdueTasks.length === 1 ? 'is' : 'are'} late.`,
      text: 'No success for three intervals.',
      link: { label: 'View Tasks', href: '/tasks' },
    }),
  ];
}

function stranded({ strandedUsers }: Overview): Condition[] {
  if (strandedUsers === null || strandedUsers === 0) return [];
  return [
    condition({
      id: 'stranded',
      tone: 'warn',
      glyph: 'user',
      title: `${counted(strandedUsers, 'User')} ${strandedUsers === 1 ? 'points' : 'point'} to a Backend that does not exist.`,
      text: 'Counted by delete_stale_data; never deleted. Give them a home, or bring the Backend back.',
      link: { label: 'View Tasks', href: '/tasks' },
    }),
  ];
}

function pausedTasks({ pausedTasks: names }: Overview): Condition[] {
  if (names.length === 0) return [];
  return [
    condition({
      id: 'paused-tasks',
      tone: 'warn',
      glyph: 'pause',
      title: `${listed(names)} ${names.length === 1 ? 'is' : 'are'} paused.`,
      text: 'Not run by the clock until somebody resumes it.',
      link: { label: 'View Tasks', href: '/tasks' },
    }),
  ];
}

/** Somebody else's moves are his own matter, until they take longer than a move does. */
const FOREIGN_SHOWN_AFTER_MS = 60_000;

function foreignMoves({ foreignMoves: moves, nowMs }: Overview): Condition[] {
  const { users, oldestSeenAtMs, sources } = moves;
  if (oldestSeenAtMs === null || nowMs - oldestSeenAtMs < FOREIGN_SHOWN_AFTER_MS) return [];
  const hosts = sources.map(({ host, backendId }) => host ?? backendId);
  const [first = ''] = hosts;
  return [
    condition({
      id: 'foreign-moves',
      tone: 'warn',
      glyph: 'move',
      title: `${counted(users, 'User')} ${users === 1 ? 'is' : 'are'} being moved by somebody else`,
      text: `off ${listed(hosts, 6)}. Dovekeeper finishes moves that do not end, where BackendHealthAutoHandling is Enabled.`,
      sinceMs: oldestSeenAtMs,
      link: { label: 'View Backend', href: backendHref(first) },
    }),
  ];
}

const FEATURE_EFFECTS: Readonly<Record<string, readonly [dry: string, off: string]>> = {
  MetricsExport: ['', 'Figures are not exported, and no other feature works.'],
  BackendHealthAutoHandling: [
    'Decisions are recorded; no User is moved for the health of a Backend.',
    'A failing Backend is shown, and left as it is.',
  ],
  BackendLoadBalancing: [
    'Decisions are recorded; no User is moved for balance.',
    'Load is not balanced.',
  ],
};

function features({ features: all, site }: Overview): Condition[] {
  return all
    .filter(({ state }) => state !== 'enabled')
    .map(({ feature, state, decidedBy }) => {
      const isDry = state === 'dryRun';
      const [dry, off] = FEATURE_EFFECTS[feature] ?? ['', ''];
      const level = decidedBy.level === null ? 'by default' : `set at ${decidedBy.level} level`;
      return condition({
        id: `feature-${feature}`,
        tone: isDry ? 'dry' : 'info',
        glyph: isDry ? 'dry' : 'offline',
        title: `${isDry ? 'DryRun' : 'Disabled'}: ${feature} on ${site.name}.`,
        text: `${isDry ? dry : off} (${level})`,
        link: { label: 'Open feature flag', href: '/features' },
      });
    });
}
