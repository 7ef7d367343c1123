/** What happens in a run, drawn from its seed: faults with their times, and an operator's actions. */
import { ODDITIES } from '../../lab/mail/cluster-service/oddities.ts';
import { seededRandom, type Random } from '../simulation/random.ts';
import { LINK_FAULTS, type LinkFaultKind } from '../support/fault-proxy.ts';
import {
  BACKENDS,
  clusterServiceOf,
  CONTROLLERS,
  hostNames,
  linkName,
  PROXIES,
  siteOfController,
  siteOfHost,
  SITES,
  STORES,
  type SiteName,
} from './site-parts.ts';

/** A fault of a part, of a Backend, of the network, or of what a doveadm says. */
export type FaultKind =
  | 'kill'
  | 'down'
  | 'stop'
  | 'freeze'
  | 'backendKill'
  | 'backendFreeze'
  | 'deny'
  | 'temp'
  | 'storage'
  | 'slow'
  | 'cut'
  | 'link'
  | 'odd';

export interface PlannedFault {
  readonly atSecs: number;
  readonly kind: FaultKind;
  /** A part, a Backend, or a pair `from>to`. */
  readonly on: string;
  /** 0: over at once. */
  readonly forSecs: number;
  /** Of `link` and `odd`: which. */
  readonly detail: LinkFaultKind | (typeof ODDITIES)[number] | null;
  /** Per cent of `deny`, milliseconds of `slow` and of a delayed link. */
  readonly value: number;
}

export const ACTION_VERBS = [
  'evacuate',
  'pause',
  'resume',
  'cancel',
  'speed',
  'flag',
  'automation',
  'loadFactor',
  'status',
  'runTask',
] as const;
export type ActionVerb = (typeof ACTION_VERBS)[number];

export interface PlannedAction {
  readonly atSecs: number;
  readonly verb: ActionVerb;
  readonly site: SiteName;
  /** 0 to 1: which of what is there then. */
  readonly pick: number;
  /** 0 to 1: how. */
  readonly how: number;
  /** After so long it is taken back; 0: it is not. */
  readonly forSecs: number;
}

export interface RunPlan {
  readonly seed: number;
  readonly seconds: number;
  /** `catastrophe`: most Backends of a site fail together. */
  readonly theme: 'mixed' | 'catastrophe';
  readonly faults: readonly PlannedFault[];
  readonly actions: readonly PlannedAction[];
}

interface FaultShape {
  readonly weight: number;
  readonly secs: readonly [number, number];
  readonly targets: readonly string[];
}

const CLUSTER_SERVICES = [...BACKENDS, ...PROXIES].map(clusterServiceOf);
const ANY_PART = [...CONTROLLERS, ...STORES, ...PROXIES, ...CLUSTER_SERVICES];
/** Twice as likely: the ones that do the work. */
const PARTS = [...ANY_PART, ...CONTROLLERS, ...STORES];
const LINKS = CONTROLLERS.flatMap((from) => {
  const site = siteOfController(from);
  const hosts = [...hostNames(site, 'backend'), ...hostNames(site, 'proxy')];
  return [...STORES, ...hosts].map((to) => linkName(from, to));
});

const SHAPES: Readonly<Record<FaultKind, FaultShape>> = {
  kill: { weight: 6, secs: [0, 0], targets: PARTS },
  down: { weight: 3, secs: [3, 25], targets: PARTS },
  stop: { weight: 3, secs: [2, 15], targets: PARTS },
  freeze: { weight: 6, secs: [5, 60], targets: PARTS },
  backendKill: { weight: 3, secs: [5, 50], targets: BACKENDS },
  backendFreeze: { weight: 3, secs: [5, 60], targets: BACKENDS },
  deny: { weight: 3, secs: [20, 60], targets: BACKENDS },
  temp: { weight: 1, secs: [10, 40], targets: BACKENDS },
  storage: { weight: 1, secs: [10, 40], targets: BACKENDS },
  slow: { weight: 1, secs: [10, 40], targets: BACKENDS },
  cut: { weight: 2, secs: [5, 40], targets: BACKENDS },
  link: { weight: 9, secs: [2, 25], targets: LINKS },
  odd: { weight: 5, secs: [5, 40], targets: BACKENDS },
};
const KINDS = Object.keys(SHAPES) as FaultKind[];
/** Users of these cannot log in, or a move to them is a mistake. */
const BREAKING: readonly FaultKind[] = ['backendKill', 'backendFreeze', 'deny', 'temp', 'storage'];

const SECS_A_FAULT = 5;
const SECS_AN_ACTION = 7;
/** Faults begin within this share of a run. */
const BEGIN_SHARE = 0.85;
const MAX_TRIES = 20;

/** The same seed and length give the same plan. */
export function planRun(seed: number, seconds: number): RunPlan {
  const random = seededRandom(seed);
  const theme = random() < 0.15 ? 'catastrophe' : 'mixed';
  const faults: PlannedFault[] = theme === 'catastrophe' ? failTogether(random, seconds) : [];
  faults.push(firstTrouble(random, seconds));
  const wanted = Math.max(2, Math.round(seconds / SECS_A_FAULT));
  for (let tries = 0; faults.length < wanted && tries < wanted * MAX_TRIES; tries += 1) {
    const fault = drawFault(random, seconds);
    if (isBearable(fault, faults)) faults.push(fault);
  }
  const actions = Array.from({ length: Math.max(2, Math.round(seconds / SECS_AN_ACTION)) }, () =>
    drawAction(random, seconds),
  );
  const byTime = (a: { atSecs: number }, b: { atSecs: number }): number => a.atSecs - b.atSecs;
  return {
    seed,
    seconds,
    theme,
    faults: faults.filter((fault, index) => isFree(fault, faults.slice(0, index))).sort(byTime),
    actions: actions.sort(byTime),
  };
}

export function describeFault({ atSecs, kind, on, forSecs, detail, value }: PlannedFault): string {
  const which = detail === null ? '' : ` ${detail}`;
  const how = value === 0 ? '' : ` ${value}`;
  return `${atSecs.toFixed(1)} s: ${kind}${which}${how} ${on} for ${forSecs.toFixed(1)} s`;
}

/** One Backend that fails for long enough to be seen and acted upon. */
function firstTrouble(random: Random, seconds: number): PlannedFault {
  const kind = pick(random, ['deny', 'backendKill', 'backendFreeze'] as const);
  const forSecs = Math.min(40, seconds * 0.6);
  return { ...faultOf(random, kind, pick(random, BACKENDS)), atSecs: 1 + random() * 3, forSecs };
}

/** Three of the four Backends of `north`: over the threshold of catastrophe protection. */
function failTogether(random: Random, seconds: number): PlannedFault[] {
  const spared = pick(random, hostNames('north', 'backend'));
  const kind = pick(random, ['deny', 'backendKill'] as const);
  const beginSecs = seconds * (0.15 + 0.3 * random());
  return hostNames('north', 'backend')
    .filter((host) => host !== spared)
    .map((host) => ({
      ...faultOf(random, kind, host),
      atSecs: beginSecs + random() * 8,
      forSecs: Math.min(35, seconds * 0.4),
    }));
}

function drawFault(random: Random, seconds: number): PlannedFault {
  const kind = weighted(random);
  const { secs, targets } = SHAPES[kind];
  const atSecs = 2 + random() * (seconds * BEGIN_SHARE - 2);
  const [least, most] = secs;
  // Squared: short ones are more frequent, and leave room for others.
  const wantedSecs = least + (most - least) * random() ** 2;
  const forSecs = Math.min(wantedSecs, seconds - atSecs);
  return { ...faultOf(random, kind, pick(random, targets)), atSecs, forSecs };
}

function faultOf(random: Random, kind: FaultKind, on: string): PlannedFault {
  const bare = { atSecs: 0, kind, on, forSecs: 0, detail: null, value: 0 };
  switch (kind) {
    case 'deny':
      return { ...bare, value: pick(random, [100, 100, 60, 30]) };
    case 'slow':
      return { ...bare, value: pick(random, [300, 1500]) };
    case 'odd':
      return { ...bare, detail: pick(random, ODDITIES) };
    case 'link': {
      // Only doveadm has one request a connection: elsewhere it would be another protocol error.
      const isDoveadm = on.includes('-mail') || on.includes('-proxy');
      const kinds = LINK_FAULTS.filter((each) => isDoveadm || each !== 'doubleRequest');
      return {
        ...bare,
        detail: pick(random, kinds),
        value: pick(random, [20, 200, 1200, 4000]),
      };
    }
    default:
      return bare;
  }
}

/** What a fault takes hold of: two of them on the same thing would undo each other. */
function holdsOf({ kind, on }: PlannedFault): string[] {
  switch (kind) {
    case 'backendKill':
    case 'backendFreeze':
      return [on, clusterServiceOf(on)];
    case 'kill':
    case 'down':
    case 'stop':
    case 'freeze':
      return [on];
    case 'link':
      return [`link ${on}`];
    case 'odd':
      return [`odd ${on}`];
    default:
      return [`${kind} ${on}`];
  }
}

/** A killed part needs a while to be back. */
const BACK_SECS = 4;

function overlap(a: PlannedFault, b: PlannedFault): boolean {
  const endOf = ({ atSecs, forSecs }: PlannedFault): number => atSecs + forSecs + BACK_SECS;
  return a.atSecs < endOf(b) && b.atSecs < endOf(a);
}

function isFree(fault: PlannedFault, others: readonly PlannedFault[]): boolean {
  const held = new Set(holdsOf(fault));
  return !others.some((each) => overlap(each, fault) && holdsOf(each).some((one) => held.has(one)));
}

/** Leaves a site able to work: half of its Backends, a proxy, and of the stores all but one. */
function isBearable(fault: PlannedFault, others: readonly PlannedFault[]): boolean {
  if (!isFree(fault, others)) return false;
  const at = others.filter((each) => overlap(each, fault));
  if (BREAKING.includes(fault.kind)) {
    const site = siteOfHost(fault.on);
    const broken = at.filter(
      (each) => BREAKING.includes(each.kind) && siteOfHost(each.on) === site,
    );
    return broken.length < Math.floor(hostNames(site, 'backend').length / 2);
  }
  const isStore = (on: string): boolean => on === 'temporal' || on === 'cassandra';
  if (isStore(fault.on)) return !at.some(({ on }) => isStore(on));
  const proxyOf = (on: string): string | undefined => PROXIES.find((name) => on.startsWith(name));
  if (proxyOf(fault.on) === undefined) return true;
  const site = siteOfHost(fault.on);
  return !at.some(({ on }) => proxyOf(on) !== undefined && siteOfHost(on) === site);
}

/** Twice as often in `north`, which has more to act upon. */
const ACTION_WEIGHTS: Readonly<Record<ActionVerb, number>> = {
  evacuate: 4,
  pause: 3,
  resume: 2,
  cancel: 2,
  speed: 3,
  flag: 3,
  automation: 2,
  loadFactor: 2,
  status: 1,
  runTask: 2,
};
/** Taken back after a while: nothing of it may outlast the run. */
const REVERSED: readonly ActionVerb[] = ['flag', 'automation', 'loadFactor', 'status'];

function drawAction(random: Random, seconds: number): PlannedAction {
  const verbs = ACTION_VERBS.flatMap((verb) =>
    Array.from({ length: ACTION_WEIGHTS[verb] }, () => verb),
  );
  const verb = pick(random, verbs);
  const forSecs = REVERSED.includes(verb) ? 5 + random() * 20 : 0;
  return {
    atSecs: 2 + random() * (seconds * 0.9 - 2),
    verb,
    site: pick(random, [...SITES, 'north']),
    pick: random(),
    how: random(),
    forSecs,
  };
}

function weighted(random: Random): FaultKind {
  const total = KINDS.reduce((sum, kind) => sum + SHAPES[kind].weight, 0);
  let left = random() * total;
  for (const kind of KINDS) {
    left -= SHAPES[kind].weight;
    if (left < 0) return kind;
  }
  return 'kill';
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const chosen = from[Math.floor(random() * from.length)];
  if (chosen === undefined) throw new Error('there is nothing to pick from');
  return chosen;
}
