/** The rows of the table `director`: who moves 1,000 logged-in users, and how. */
import { setTimeout as pause } from 'node:timers/promises';
import { ownGroup } from './cpu-watch.ts';
import type { DirectorRing } from './director-ring.ts';
import { runTrial, type TrialResult } from './measure-move.ts';
import type { OurSide } from './our-side.ts';

export interface Row {
  readonly name: string;
  /** `live`: the Backend still serves. `killed`: kill -9. `floor`: nobody is moved. */
  readonly kind: 'live' | 'killed' | 'floor';
  readonly isOurs: boolean;
  /** @param index of the run, from 0 @param runs how many there are */
  run(index: number, runs: number): Promise<TrialResult>;
}

/**
 * What has not moved anybody since it was started, or for minutes, is slower: Node has compiled little of it, and
 * Dovecot's processes for a crowd have ended.
 */
export const FIRST_OF_OURS = 'ours, tuned, the first';
/** One lane that rests now and then: one user is without sessions at a time. */
export const PACED_PERCENT = 20;
const SECOND_SHARE = 0.05;
const LIVE_DEADLINE_MS = 90_000;
const PACED_DEADLINE_MS = 300_000;
const KILLED_DEADLINE_MS = 75_000;
/** Nobody goes away in this row, so there is nothing to wait for. */
const FLUSH_DEADLINE_MS = 10_000;
/** poolmon: every 30 s a scan; a refused port is tried once more after 3 s. */
const POOLMON_SCAN_MS = 30_000;
const POOLMON_RETRY_MS = 3_000;
const DEFAULT_KICK_DELAY_SECS = 2;

const groupsOf = (ours: OurSide, ring: DirectorRing): ReadonlyMap<number, string> =>
  new Map([...ours.groups(), ...ring.groups(), [ownGroup(), 'bench']]);

export function makeRows(ours: OurSide, ring: DirectorRing): readonly Row[] {
  return [...directorRows(ours, ring), ...ourRows(ours, ring)].toSorted(byOrder);
}

/** Theirs and ours in turn, so that noise of the machine hits both. */
const ORDER = [
  'floor: director',
  'floor: ours',
  'director, default',
  FIRST_OF_OURS,
  'ours, tuned',
  'director, tuned',
  'ours, paced',
  'poolmon on a live Backend',
  'poolmon, told at once',
  'ours, killed',
  'poolmon, scan each 30 s',
];
const byOrder = (one: Row, other: Row): number =>
  ORDER.indexOf(one.name) - ORDER.indexOf(other.name);

function ourRows(ours: OurSide, ring: DirectorRing): Row[] {
  const common = { cluster: ours.cluster, users: ours.users, secondShare: SECOND_SHARE };
  const row = (
    name: string,
    kind: Row['kind'],
    trial: Pick<Parameters<typeof runTrial>[0], 'deadlineMs' | 'act'>,
  ): Row => ({
    name,
    kind,
    isOurs: true,
    async run() {
      await ours.prepare();
      const groups = groupsOf(ours, ring);
      return runTrial({ ...common, ...trial, groups, goal: kind === 'floor' ? 'again' : 'away' });
    },
  });
  return [
    row('floor: ours', 'floor', {
      deadlineMs: LIVE_DEADLINE_MS,
      act: async (clients) => clients.cutAll(),
    }),
    ...[FIRST_OF_OURS, 'ours, tuned'].map((name) =>
      row(name, 'live', { deadlineMs: LIVE_DEADLINE_MS, act: () => ours.evacuate(100) }),
    ),
    row('ours, paced', 'live', {
      deadlineMs: PACED_DEADLINE_MS,
      act: () => ours.evacuate(PACED_PERCENT),
    }),
    row('ours, killed', 'killed', {
      deadlineMs: KILLED_DEADLINE_MS,
      act: () => ours.killSource(),
    }),
  ];
}

interface DirectorTrial {
  readonly kickDelaySecs: number;
  readonly deadlineMs: number;
  readonly act: Parameters<typeof runTrial>[0]['act'];
}

function directorRows(ours: OurSide, ring: DirectorRing): Row[] {
  const { source } = ring.cluster;
  const common = { cluster: ring.cluster, users: ours.users, secondShare: SECOND_SHARE };
  const row = (
    name: string,
    kind: Row['kind'],
    trialOf: (index: number, runs: number) => DirectorTrial,
  ): Row => ({
    name,
    kind,
    isOurs: false,
    async run(index, runs) {
      const { kickDelaySecs, ...trial } = trialOf(index, runs);
      await ring.restart(kickDelaySecs, ours.users);
      try {
        const groups = groupsOf(ours, ring);
        return await runTrial({
          ...common,
          ...trial,
          groups,
          goal: kind === 'floor' ? 'again' : 'away',
        });
      } finally {
        if (kind === 'killed') await ring.restoreSource();
      }
    },
  });
  const drain = async (...flush: string[]): Promise<void> => {
    await ring.command('update', source.address, '0');
    await ring.command('flush', ...flush, source.address);
  };
  const gone = [`HOST-DOWN\t${source.address}`, `HOST-FLUSH\t${source.address}`];
  const kickDelaySecs = DEFAULT_KICK_DELAY_SECS;
  return [
    row('floor: director', 'floor', () => ({
      kickDelaySecs,
      deadlineMs: LIVE_DEADLINE_MS,
      act: async (clients) => clients.cutAll(),
    })),
    row('director, default', 'live', () => ({
      kickDelaySecs,
      deadlineMs: LIVE_DEADLINE_MS,
      act: () => drain(),
    })),
    row('director, tuned', 'live', () => ({
      kickDelaySecs: 0,
      deadlineMs: LIVE_DEADLINE_MS,
      act: () => drain('--max-parallel', '100'),
    })),
    row('poolmon on a live Backend', 'live', () => ({
      kickDelaySecs,
      deadlineMs: FLUSH_DEADLINE_MS,
      act: () => ring.ask(gone),
    })),
    row('poolmon, told at once', 'killed', () => ({
      kickDelaySecs,
      deadlineMs: KILLED_DEADLINE_MS,
      act: async () => {
        await ring.killSource();
        await ring.ask(gone);
      },
    })),
    row('poolmon, scan each 30 s', 'killed', (index, runs) => ({
      kickDelaySecs,
      deadlineMs: KILLED_DEADLINE_MS,
      act: async () => {
        await ring.killSource();
        // The moments of death are spread evenly over the time between two scans.
        await pause(POOLMON_RETRY_MS + ((index + 0.5) / runs) * POOLMON_SCAN_MS);
        await ring.tell(gone);
      },
    })),
  ];
}
