/** Part in balancing, in words. */
import type { Glyph } from '../components/glyphs.ts';
import type { Backend, Overview } from '../api/model.ts';

export interface PartInBalancing {
  readonly glyph: Glyph;
  readonly tone: 'ok' | 'acc' | 'warn' | 'crit' | 'mute';
  readonly label: string;
  readonly note: string;
}

type Balance = NonNullable<Backend['balancing']>;
export type Exclusion = NonNullable<Balance['exclusion']>;
type Balancing = Overview['balancing'];

const EXCLUSIONS: Readonly<
  Record<Exclusion, readonly [label: string, tone: PartInBalancing['tone'], glyph: Glyph]>
> = {
  Offline: ['offline', 'mute', 'offline'],
  Standby: ['standby', 'mute', 'standby'],
  LoadFactorZero: ['load factor 0', 'mute', 'evac'],
  FeatureDisabledAtBackend: ['Disabled by its own flag', 'mute', 'flag'],
  CoolTime: ['cool time', 'mute', 'clock'],
  TooFewSamples: ['too few samples', 'mute', 'unknown'],
  Failing: ['failing', 'warn', 'degraded'],
  DoveadmUnreachable: ['doveadm not reachable', 'warn', 'x'],
  OperationRunning: ['Operation running', 'mute', 'ops'],
  OperatorHold: ['held by an operator', 'mute', 'pause'],
  NotMeasured: ['no load measured', 'mute', 'unknown'],
};

export const EXCLUSION_CODES = Object.keys(EXCLUSIONS);

/** "Source", "Destination", "Eligible", "Excluded: cool time". */
export function partInBalancing(backend: Backend, balancing: Balancing): PartInBalancing {
  const { balancing: own, host } = backend;
  if (own === null || own === undefined) {
    return { glyph: 'unknown', tone: 'mute', label: 'Not known', note: '' };
  }
  if (own.exclusion !== null) return excluded(own.exclusion, backend, balancing);
  if (balancing.wouldNow.kind === 'rebalance') {
    const [source, target] = balancing.wouldNow.hosts;
    if (host === source) return part('evac', 'acc', 'Source', 'Highest eligible score');
    if (host === target) return part('check', 'acc', 'Destination', 'Lowest eligible score');
  }
  const note =
    backend.loadFactor === 100
      ? ''
      : `Load factor ${backend.loadFactor}: its load counts as ${Math.round(10_000 / backend.loadFactor)} per 100`;
  return part('check', 'ok', 'Eligible', note);
}

function excluded(exclusion: Exclusion, backend: Backend, balancing: Balancing): PartInBalancing {
  const [label, tone, glyph] = EXCLUSIONS[exclusion];
  const samples = backend.load?.samples ?? 0;
  const note =
    exclusion === 'TooFewSamples'
      ? `${samples} of ${balancing.minSamples} samples`
      : exclusion === 'Failing'
        ? backend.verdict
        : exclusion === 'DoveadmUnreachable'
          ? (backend.doveadm?.failure ?? '')
          : '';
  return part(glyph, tone, `Excluded: ${label}`, note);
}

function part(
  glyph: Glyph,
  tone: PartInBalancing['tone'],
  label: string,
  note: string,
): PartInBalancing {
  return { glyph, tone, label, note };
}

/** Half the width of a score bar, for the widest of the site. */
export function widestScore(backends: readonly Backend[]): number {
  const scores = backends.map(({ balancing }) => Math.abs(balancing?.score ?? 0));
  return Math.max(1, ...scores);
}

/** By score, the most loaded first; what has none comes last, by name. */
export function byScore(a: Backend, b: Backend): number {
  const [left, right] = [a.balancing?.score ?? null, b.balancing?.score ?? null];
  if (left === null && right === null) return a.host.localeCompare(b.host);
  if (left === null) return 1;
  if (right === null) return -1;
  return right - left || a.host.localeCompare(b.host);
}
