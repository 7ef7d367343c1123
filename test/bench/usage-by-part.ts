/** Who used the cores: CPU time and memory of every part of a lab, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Lab } from '../../lab/parts/lab.mjs';

export interface PartUsage {
  readonly cpuSecs: number;
  /** Of all its processes, at the last look. */
  readonly memoryMib: number;
}

export interface Usage {
  readonly seconds: number;
  readonly cores: number;
  /** By part of the lab, and `bench`, which is this process. */
  readonly parts: ReadonlyMap<string, PartUsage>;
  /** CPU seconds of whatever else runs on this machine. */
  readonly othersSecs: number;
}

export interface UsageMeter {
  /** What was used since the last take, or since the start. */
  take(): Usage;
  stop(): void;
}

/** A process that ends takes its count with it, so there is a look every second. */
const LOOK_EVERY_MS = 1_000;
const TICKS_PER_SEC = 100;
const PAGE_BYTES = 4_096;
const MIB = 2 ** 20;

interface Look {
  readonly atMs: number;
  /** Ticks and pages by process group. */
  readonly groups: ReadonlyMap<number, { readonly ticks: number; readonly pages: number }>;
  readonly busyTicks: number;
  readonly cores: number;
}

/** Measures from now on. */
export function startUsageMeter(lab: Lab): UsageMeter {
  let former = look();
  let parts = new Map<string, { ticks: number; pages: number }>();
  let busyTicks = 0;
  let sinceMs = former.atMs;
  const observe = (): void => {
    const now = look();
    for (const [name, group] of groupsOf(lab)) {
      const { ticks, pages } = now.groups.get(group) ?? { ticks: 0, pages: 0 };
      const used = Math.max(0, ticks - (former.groups.get(group)?.ticks ?? 0));
      parts.set(name, { ticks: (parts.get(name)?.ticks ?? 0) + used, pages });
    }
    busyTicks += now.busyTicks - former.busyTicks;
    former = now;
  };
  const timer = setInterval(observe, LOOK_EVERY_MS);
  return {
    take() {
      observe();
      const ours = [...parts.values()].reduce((sum, { ticks }) => sum + ticks, 0);
      const usage: Usage = {
        seconds: (former.atMs - sinceMs) / 1000,
        cores: former.cores,
        parts: new Map([...parts].map(([name, part]) => [name, toUsage(part)])),
        othersSecs: Math.max(0, busyTicks - ours) / TICKS_PER_SEC,
      };
      parts = new Map();
      busyTicks = 0;
      sinceMs = former.atMs;
      return usage;
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** Adds up several measurements, for a sentence about all of them. */
export function addUsages(usages: readonly Usage[]): Usage {
  const parts = new Map<string, PartUsage>();
  for (const [name, { cpuSecs, memoryMib }] of usages.flatMap((one) => [...one.parts])) {
    const former = parts.get(name);
    parts.set(name, {
      cpuSecs: (former?.cpuSecs ?? 0) + cpuSecs,
      memoryMib: Math.max(former?.memoryMib ?? 0, memoryMib),
    });
  }
  return {
    seconds: usages.reduce((sum, { seconds }) => sum + seconds, 0),
    cores: usages[0]?.cores ?? 0,
    parts,
    othersSecs: usages.reduce((sum, { othersSecs }) => sum + othersSecs, 0),
  };
}

/** Per cent of one core that these parts used. */
export function percentOfCore({ parts, seconds }: Usage, names: readonly string[]): number {
  const used = names.reduce((sum, name) => sum + (parts.get(name)?.cpuSecs ?? 0), 0);
  return seconds > 0 ? (100 * used) / seconds : 0;
}

/** One sentence: what shared the cores, the greatest first, in per cent of one core. */
export function describeUsage(usage: Usage, leastPercent = 1): string {
  const shares = [...groupByRole(usage.parts)]
    .map(([name, cpuSecs]) => ({ name, percent: (100 * cpuSecs) / usage.seconds }))
    .sort((a, b) => b.percent - a.percent);
  const shown = shares.filter(({ percent }) => percent >= leastPercent);
  const small = shares
    .filter(({ percent }) => percent < leastPercent)
    .reduce((sum, { percent }) => sum + percent, 0);
  const others = (100 * usage.othersSecs) / usage.seconds;
  const total = shares.reduce((sum, { percent }) => sum + percent, 0) + others;
  const entries = [
    ...shown.map(({ name, percent }) => `${name} ${percent.toFixed(0)}`),
    ...(small > 0 ? [`smaller parts together ${small.toFixed(0)}`] : []),
    `everything else on the machine ${others.toFixed(0)}`,
  ];
  const busy = (total / usage.cores).toFixed(0);
  return (
    `${entries.join(', ')} (per cent of one core, of ${usage.cores} that were ` +
    `${busy} % busy, over ${usage.seconds.toFixed(0)} s)`
  );
}

/** CPU milliseconds for each of so many users, by role; the greatest first. Hardly depends on who else is busy. */
export function describeCpuEach(usage: Usage, users: number): string {
  return [...groupByRole(usage.parts)]
    .map(([name, cpuSecs]) => ({ name, ms: (1000 * cpuSecs) / users }))
    .filter(({ ms }) => ms >= 0.005)
    .sort((a, b) => b.ms - a.ms)
    .map(({ name, ms }) => `${name} ${ms.toFixed(2)}`)
    .join(', ');
}

/** Backends and proxies do the same work side by side: their Dovecots count as one, and what is beside them. */
function groupByRole(parts: ReadonlyMap<string, PartUsage>): Map<string, number> {
  const roles = new Map<string, number>();
  for (const [name, { cpuSecs }] of parts) {
    const [, kind, cluster] = /-(mail|proxy)\d+(-cluster)?$/.exec(name) ?? [];
    const host = kind === 'mail' ? 'Backends' : 'proxies';
    const beside = cluster === undefined ? `Dovecot of ${host}` : `cluster service of ${host}`;
    const role = kind === undefined ? name : beside;
    roles.set(role, (roles.get(role) ?? 0) + cpuSecs);
  }
  return roles;
}

const toUsage = ({ ticks, pages }: { ticks: number; pages: number }): PartUsage => ({
  cpuSecs: ticks / TICKS_PER_SEC,
  memoryMib: (pages * PAGE_BYTES) / MIB,
});

/** Every part leads a process group of its own. */
function groupsOf(lab: Lab): [string, number][] {
  const running = lab
    .status()
    .flatMap(({ name, pid }): [string, number][] => (pid === null ? [] : [[name, pid]]));
  return [...running, ['bench', groupOf(process.pid)]];
}

function groupOf(pid: number): number {
  return readStat(String(pid))?.group ?? pid;
}

function look(): Look {
  const groups = new Map<number, { ticks: number; pages: number }>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : null;
    if (stat === null) continue;
    const former = groups.get(stat.group) ?? { ticks: 0, pages: 0 };
    const ticks = former.ticks + stat.ticks;
    groups.set(stat.group, { ticks, pages: former.pages + stat.pages });
  }
  const lines = readFileSync('/proc/stat', 'utf8').split('\n');
  const total = (lines[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = total;
  const cores = lines.filter((line) => /^cpu\d/.test(line)).length;
  return {
    atMs: performance.now(),
    groups,
    busyTicks: user + nice + system + irq + softIrq,
    cores,
  };
}

/** With the children that it has collected. Null: it is gone. */
function readStat(pid: string): { group: number; ticks: number; pages: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [own, kernel, children, childrenKernel] = fields.slice(11, 15);
    const ticks = (own ?? 0) + (kernel ?? 0) + (children ?? 0) + (childrenKernel ?? 0);
    return { group: fields[2] ?? 0, ticks, pages: fields[21] ?? 0 };
  } catch {
    return null;
  }
}
