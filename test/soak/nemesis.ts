/** Breaks what the plan says, when it says so, and takes everything back in the end. */
import { clearFault, restoreBackends, setFault, setOddities } from '../../lab/mail/faults.ts';
import type { Oddity } from '../../lab/mail/cluster-service/oddities.ts';
import { describeError } from '../../platform/describe-error.ts';
import type { LinkFaultKind } from '../support/fault-proxy.ts';
import type { FaultKind, PlannedFault } from './plan.ts';
import { BACKENDS, clusterServiceOf } from './site-parts.ts';
import type { SoakRig } from './soak-rig.ts';

export interface FaultRecord {
  readonly kind: FaultKind;
  readonly on: string;
  readonly detail: string | null;
  readonly fromMs: number;
  /** When it was taken back; null: not yet. */
  untilMs: number | null;
  /** Why it could not be done: the part was down already. */
  problem: string | null;
}

export interface Nemesis {
  readonly records: readonly FaultRecord[];
  /** No further fault, and none left. Repeats until everything is back. */
  takeAllBack(): Promise<void>;
}

interface FaultHands {
  apply(rig: SoakRig, fault: PlannedFault): Promise<void> | void;
  takeBack(rig: SoakRig, fault: PlannedFault): Promise<void> | void;
}

const partsOf = ({ on }: PlannedFault): string[] => [on, clusterServiceOf(on)];

const startOn = ({ lab }: SoakRig, { on }: PlannedFault): void => lab.startPart(on);

/** Of Backends, in the file that their Dovecot reads at each login. */
const fileFault = (kind: 'deny' | 'temp' | 'storage' | 'slow' | 'cut'): FaultHands => ({
  apply: ({ settings }, { on, value }) =>
    setFault(settings, [on], kind, value === 0 ? undefined : value),
  takeBack: ({ settings }, { on }) => clearFault(settings, on, kind),
});

const HANDS: Readonly<Record<FaultKind, FaultHands>> = {
  kill: { apply: ({ lab }, { on }) => lab.killPart(on), takeBack: () => undefined },
  down: { apply: ({ lab }, { on }) => lab.killPart(on, { staysDown: true }), takeBack: startOn },
  stop: { apply: ({ lab }, { on }) => lab.stopPart(on), takeBack: startOn },
  freeze: {
    apply: ({ lab }, { on }) => lab.freezePart(on),
    takeBack: ({ lab }, { on }) => lab.thawPart(on),
  },
  backendKill: {
    apply: async ({ lab }, fault) => {
      await Promise.all(partsOf(fault).map((part) => lab.killPart(part, { staysDown: true })));
    },
    takeBack: ({ lab }, fault) => partsOf(fault).forEach((part) => lab.startPart(part)),
  },
  backendFreeze: {
    apply: ({ lab }, fault) => partsOf(fault).forEach((part) => lab.freezePart(part)),
    takeBack: ({ lab }, fault) => partsOf(fault).forEach((part) => lab.thawPart(part)),
  },
  deny: fileFault('deny'),
  temp: fileFault('temp'),
  storage: fileFault('storage'),
  slow: fileFault('slow'),
  cut: fileFault('cut'),
  link: {
    apply: ({ links }, { on, detail, value }) =>
      links.set(on, { kind: detail as LinkFaultKind, delayMs: value }),
    takeBack: ({ links }, { on }) => links.set(on, null),
  },
  odd: {
    apply: ({ settings }, { on, detail }) => setOddities(settings, on, [detail as Oddity]),
    takeBack: ({ settings }, { on }) => setOddities(settings, on, []),
  },
};

/** Starts at once. */
export function startNemesis(rig: SoakRig, faults: readonly PlannedFault[]): Nemesis {
  const records: FaultRecord[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  const later = (secs: number, work: () => Promise<void>): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      const done = work().finally(() => running.delete(done));
      running.add(done);
    }, secs * 1000);
    timers.add(timer);
  };
  const inflict = async (fault: PlannedFault): Promise<void> => {
    const { kind, on, detail } = fault;
    const fromMs = Date.now();
    const record: FaultRecord = { kind, on, detail, fromMs, untilMs: null, problem: null };
    records.push(record);
    record.problem = await attempt(() => HANDS[kind].apply(rig, fault));
    if (record.problem !== null) record.untilMs = Date.now();
    else later(fault.forSecs, () => end(fault, record));
  };
  const end = async (fault: PlannedFault, record: FaultRecord): Promise<void> => {
    record.problem = await attempt(() => HANDS[fault.kind].takeBack(rig, fault));
    record.untilMs = Date.now();
  };
  for (const fault of faults) later(fault.atSecs, () => inflict(fault));
  return {
    records,
    async takeAllBack() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      await Promise.all(running);
      await restoreEverything(rig);
      for (const record of records) record.untilMs ??= Date.now();
    },
  };
}

async function attempt(work: () => Promise<void> | void): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return describeError(error);
  }
}

/** Whatever the state is: no fault of any kind is left. */
export async function restoreEverything(rig: SoakRig): Promise<void> {
  rig.links.restoreAll();
  for (const host of BACKENDS) setOddities(rig.settings, host, []);
  await restoreBackends(rig.settings, BACKENDS);
  for (const { name, hold } of rig.lab.status()) {
    if (hold === 'frozen') rig.lab.thawPart(name);
    else if (hold !== 'none') rig.lab.startPart(name);
  }
}
