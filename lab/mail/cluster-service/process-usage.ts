/** CPU and memory of a Dovecot: its master and all of its service processes, from /proc. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ProcessUsage {
  /** Cores used since the last measurement. */
  readonly cpuCores: number;
  /** Private memory (anonymous pages): shared libraries would be counted once a process. */
  readonly memoryBytes: number;
}

/** Linux reports process times in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const KIBIBYTE = 1024;

/**
 * Measures the Dovecot of a base_dir; null where it is not running, or on the first call.
 * Processes that ended are counted too: their times are added to the master's.
 */
export function createUsageMeter(baseDir: string): () => Promise<ProcessUsage | null> {
  let last: { pid: number; ticks: number; atMs: number } | null = null;
  return async () => {
    const pid = await readMasterPid(baseDir);
    const measured = pid === null ? null : await measureTree(pid);
    const atMs = performance.now();
    const before = last;
    last = pid === null || measured === null ? null : { pid, ticks: measured.ticks, atMs };
    if (measured === null || before === null || before.pid !== pid) return null;
    const seconds = (atMs - before.atMs) / 1000;
    const ticks = Math.max(0, measured.ticks - before.ticks);
    return {
      cpuCores: seconds > 0 ? ticks / TICKS_PER_SECOND / seconds : 0,
      memoryBytes: measured.memoryBytes,
    };
  };
}

async function readMasterPid(baseDir: string): Promise<number | null> {
  const text = await readFile(join(baseDir, 'master.pid'), 'utf8').catch(() => '');
  return text === '' ? null : Number.parseInt(text, 10);
}

async function measureTree(master: number) {
  const stat = await readStat(master);
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8').catch(
    () => '',
  );
  if (stat === null) return null;
  const pids = children.split(' ').filter(Boolean).map(Number);
  const processes = await Promise.all(pids.map(readStat));
  const memory = await Promise.all([master, ...pids].map(readPrivateBytes));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  return {
    ticks: stat.ownTicks + stat.endedTicks + sum(processes.map((one) => one?.ownTicks ?? 0)),
    memoryBytes: sum(memory),
  };
}

/** null: the process is gone. */
async function readStat(pid: number) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name in parentheses may contain spaces; the state follows it as field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticksAt = (field: number) => Number(fields[field - 3]);
  return { ownTicks: ticksAt(14) + ticksAt(15), endedTicks: ticksAt(16) + ticksAt(17) };
}

async function readPrivateBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^RssAnon:\s+(\d+)/m.exec(text)?.[1] ?? 0) * KIBIBYTE;
}
