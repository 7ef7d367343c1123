/** Decisions as sentences: a strong head ("Evacuation of mail07 started") and why. */
import type { Glyph } from '../components/glyphs.ts';
import { count, listed, percent, percentValue } from './number.ts';
import { reasonSentence } from './reasons.ts';
import { clockTime, duration } from './time.ts';

export interface DecisionFacts {
  readonly task: string;
  readonly kind: string;
  readonly reason: string;
  readonly hosts: readonly string[];
  readonly isDryRun: boolean;
  readonly numbers: Readonly<Record<string, number>>;
  readonly limitingSetting: string | null;
  readonly detail: string | null;
}

type Head = readonly [done: (hosts: string) => string, would: (hosts: string) => string];

const HEADS: Readonly<Record<string, Head>> = {
  nothing: [(on) => `Nothing on ${on}`, (on) => `Nothing on ${on}`],
  evacuate: [(on) => `Evacuation of ${on} started`, (on) => `Would evacuate ${on}`],
  endEvacuation: [(on) => `Evacuation of ${on} ended`, (on) => `Would end the Evacuation of ${on}`],
  movePartially: [
    (on) => `Partial move off ${on} started`,
    (on) => `Would move some Users off ${on}`,
  ],
  setOffline: [(on) => `${on} set offline`, (on) => `Would set ${on} offline`],
  setOnline: [(on) => `${on} set online`, (on) => `Would set ${on} online`],
  pauseOperation: [(on) => `Operation on ${on} paused`, (on) => `Would pause ${on}`],
  resumeOperation: [(on) => `Operation on ${on} resumed`, (on) => `Would resume ${on}`],
  retryMoves: [(on) => `Moves off ${on} retried`, (on) => `Would retry moves off ${on}`],
  forceMoves: [(on) => `Moves off ${on} forced`, (on) => `Would force moves off ${on}`],
  restartMover: [
    (on) => `Mover of ${on} started again`,
    (on) => `Would restart the mover of ${on}`,
  ],
  finishMoves: [
    (on) => `Moves off ${on} that others began are finished`,
    (on) => `Would finish moves off ${on} that others began`,
  ],
  rebalance: [(on) => `Rebalance ${between(on)} started`, (on) => `Would rebalance ${on}`],
  drain: [(on) => `Drain of ${on} started`, (on) => `Would drain ${on}`],
  endDrain: [(on) => `Drain of ${on} ended`, (on) => `Would end the drain of ${on}`],
  deleteRows: [(on) => `Stale rows of ${on} deleted`, (on) => `Would delete stale rows of ${on}`],
};

const GLYPHS: Readonly<Record<string, Glyph>> = {
  nothing: 'none',
  evacuate: 'evac',
  endEvacuation: 'check',
  movePartially: 'move',
  setOffline: 'offline',
  setOnline: 'online',
  pauseOperation: 'pause',
  resumeOperation: 'play',
  retryMoves: 'refresh',
  forceMoves: 'move',
  restartMover: 'refresh',
  finishMoves: 'move',
  rebalance: 'scale',
  drain: 'evac',
  endDrain: 'check',
  deleteRows: 'x',
};

/** Short words for a column: "Evacuate", "Nothing". */
const ACTIONS: Readonly<Record<string, string>> = {
  nothing: 'Nothing',
  evacuate: 'Evacuate',
  endEvacuation: 'End Evacuation',
  movePartially: 'Move some',
  setOffline: 'Set offline',
  setOnline: 'Set online',
  pauseOperation: 'Pause',
  resumeOperation: 'Resume',
  retryMoves: 'Retry',
  forceMoves: 'Force',
  restartMover: 'Restart mover',
  finishMoves: 'Finish moves',
  rebalance: 'Rebalance',
  drain: 'Drain',
  endDrain: 'End drain',
  deleteRows: 'Delete rows',
};

function between(hosts: string): string {
  return hosts.includes(' and ') ? `between ${hosts}` : `of ${hosts}`;
}

export const DECISION_KINDS = Object.keys(HEADS);

export function hostsText(hosts: readonly string[], siteName: string): string {
  if (hosts.length === 0) return siteName;
  return hosts.length > 3 ? `${hosts.length} Backends` : listed(hosts);
}

/** "Evacuation of mail07 started", "Would evacuate mail07", "Nothing on 9 Backends". */
export function decisionHead(decision: DecisionFacts, siteName: string): string {
  const on = hostsText(decision.hosts, siteName);
  const head = HEADS[decision.kind];
  if (head === undefined) return `${decision.kind} ${on}`;
  return decision.isDryRun ? head[1](on) : head[0](on);
}

/** "because failure rate ...", with what limits it. */
export function decisionWhy(decision: DecisionFacts): string {
  const why = reasonSentence(decision.reason, {
    numbers: decision.numbers,
    limitingSetting: decision.limitingSetting,
    detail: decision.detail,
    hostCount: decision.hosts.length,
  });
  const setting = decision.limitingSetting === null ? '' : ` (${decision.limitingSetting})`;
  const dry = decision.isDryRun ? ' DryRun: nothing was done.' : '';
  return `because ${why}${setting}.${dry}`;
}

export function decisionGlyph(decision: {
  readonly kind: string;
  readonly isDryRun: boolean;
}): Glyph {
  return decision.isDryRun ? 'dry' : (GLYPHS[decision.kind] ?? 'info');
}

export function actionName(kind: string, isDryRun = false): string {
  const name = ACTIONS[kind] ?? kind;
  return isDryRun && kind !== 'nothing'
    ? `Would ${name.charAt(0).toLowerCase()}${name.slice(1)}`
    : name;
}

/** A number of a decision with its name and unit, both taken from the key. */
export function namedNumber(key: string, value: number): { name: string; text: string } {
  const [name, format] = splitKey(key);
  return { name: name.charAt(0).toUpperCase() + name.slice(1), text: format(value) };
}

function splitKey(key: string): [string, (value: number) => string] {
  const cut = (suffix: string): string => words(key.slice(0, -suffix.length));
  if (key.endsWith('Ratio')) return [words(key), percent];
  if (key.endsWith('Percent')) return [cut('Percent'), percentValue];
  if (key.endsWith('Secs')) return [cut('Secs'), duration];
  if (key.endsWith('AtMs')) return [`${cut('Ms')}`, (ms) => `${clockTime(ms)} UTC`];
  if (key.endsWith('Ms')) return [cut('Ms'), (ms) => duration(ms / 1000)];
  return [words(key), (value) => (Number.isInteger(value) ? count(value) : value.toFixed(2))];
}

function words(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
}

/** The reason in two or three words, for columns. */
const SHORT_REASONS: Readonly<Record<string, string>> = {
  Healthy: 'healthy',
  FeatureDisabled: 'flag Disabled',
  AutomationPaused: 'automation paused',
  Blind: 'blind',
  UnknownTooFewAttempts: 'too few attempts',
  CatastropheProtection: 'protection holds',
  CoolTime: 'cool time',
  DegradedNotLongEnough: 'not long enough',
  OperationRunning: 'Operation runs',
  OperatorHold: 'held by operator',
  NoTarget: 'no target',
  NoUsers: 'no Users',
  Offline: 'offline',
  OfflineByOperator: 'offline by operator',
  Standby: 'standby',
  RecoveryNotProven: 'not proven',
  HoldDown: 'held down',
  NoMovesInFlight: 'no move in flight',
  MovesOnTime: 'moves on time',
  NotTheOwner: 'not the owner',
  BelowThreshold: 'below threshold',
  TooFewEligible: 'too few eligible',
  CannotImprove: 'no better place',
  UsersResting: 'Users rest',
  LoadFactorNotZero: 'load factor not 0',
  NothingStale: 'nothing stale',
  AutoHandlingRestricted: 'restricted',
  NoBackends: 'no Backend',
};

/** "Nothing: healthy", "Evacuate", "Would evacuate". */
export function shortDecision(decision: DecisionFacts): string {
  if (decision.kind !== 'nothing') return actionName(decision.kind, decision.isDryRun);
  const { reason, hosts } = decision;
  const short = SHORT_REASONS[reason];
  return `Nothing: ${short ?? reasonSentence(reason, { ...decision, hostCount: hosts.length })}`;
}

const CRITICAL_KINDS = ['evacuate', 'setOffline', 'forceMoves'];
const WAITING_REASONS = [
  'CatastropheProtection',
  'CoolTime',
  'DegradedNotLongEnough',
  'NoTarget',
  'OperatorHold',
];

/** Colour only where something deviates. */
export function decisionTone(decision: DecisionFacts): 'mute' | 'dry' | 'crit' | 'warn' | 'acc' {
  if (decision.isDryRun && decision.kind !== 'nothing') return 'dry';
  if (CRITICAL_KINDS.includes(decision.kind)) return 'crit';
  if (decision.kind !== 'nothing') return 'acc';
  return WAITING_REASONS.includes(decision.reason) ? 'warn' : 'mute';
}
