/** CPU time by part of the lab: says which part is the bottleneck, and what others on this machine took. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

export interface CpuTimes {
  /**
   * Seconds of CPU time by name of the part, `bench` for the clients, `interrupts` for the kernel on nobody's
   * account (the loopback traffic, above all), `stolen` by other machines, `others` for the rest of this one.
   */
  readonly byPart: ReadonlyMap<string, number>;
  readonly wallSecs: number;
  /** Of all cores. */
  readonly idleSecs: number;
}

const TICKS_PER_SEC = 100;

/** @param partOf process group to name of the part @returns what was used since, when called */
export function startCpuWatch(partOf: ReadonlyMap<number, string>): () => CpuTimes {
  const before = { byGroup: readByGroup(), total: readTotal(), atMs: performance.now() };
  return () => {
    const total = readTotal();
    const byPart = new Map<string, number>();
    let known = 0;
    for (const [group, ticks] of readByGroup()) {
      const part = partOf.get(group);
      const used = ticks - (before.byGroup.get(group) ?? 0);
      if (part === undefined || used <= 0) continue;
      known += used;
      byPart.set(part, (byPart.get(part) ?? 0) + used / TICKS_PER_SEC);
    }
    const since = (of: 'busy' | 'interrupts' | 'stolen'): number => total[of] - before.total[of];
    byPart.set('interrupts', since('interrupts') / TICKS_PER_SEC);
    byPart.set('stolen', since('stolen') / TICKS_PER_SEC);
    byPart.set('others', (since('busy') - known) / TICKS_PER_SEC);
    return {
      byPart,
      wallSecs: (performance.now() - before.atMs) / 1_000,
      idleSecs: (total.idle - before.total.idle) / TICKS_PER_SEC,
    };
  };
}

/** 0 to 1: of all cores. */
export function busyShare({ wallSecs, idleSecs }: CpuTimes): number {
  return Math.max(0, 1 - idleSecs / (wallSecs * cpus().length));
}

export function describeCpu({ byPart, wallSecs, idleSecs }: CpuTimes): string {
  const parts = [...byPart].toSorted(([, one], [, other]) => other - one);
  const list = parts
    .filter(([, secs]) => secs >= 0.05)
    .map(([name, secs]) => `${name} ${secs.toFixed(1)}`);
  const cores = cpus().length;
  return `cpu s of ${(wallSecs * cores).toFixed(1)}: ${list.join(', ')}, idle ${idleSecs.toFixed(1)}`;
}

/** Ticks of all processes of a group, with those of children that have ended. */
function readByGroup(): Map<number, number> {
  const byGroup = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = readFields(`/proc/${name}/stat`);
    if (fields === null) continue;
    const group = Number(fields[2]);
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    byGroup.set(group, (byGroup.get(group) ?? 0) + ticks);
  }
  return byGroup;
}

/** What follows the name in brackets: state, parent, group, ... */
function readFields(file: string): string[] | null {
  try {
    const text = readFileSync(file, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function readTotal(): { busy: number; idle: number; interrupts: number; stolen: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, rest = 0, disk = 0, irq = 0, soft = 0, stolen = 0] = ticks;
  return { busy: user + nice + system, idle: rest + disk, interrupts: irq + soft, stolen };
}

/** The process group of this program, which is also that of its clients. */
export const ownGroup = (): number => Number(readFields('/proc/self/stat')?.[2]);
