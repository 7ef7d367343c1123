/** CPU and memory of a Dovecot: its master and all of its service processes, from /proc. */
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { readOrNull } from './read-or-null.ts';

export interface ProcessUsage {
  /** Cores used since the last measurement. */
  readonly cpuCores: number;
  /** Private memory (anonymous pages): shared libraries would be counted once a process. */
  readonly memoryBytes: number;
}

/** Linux reports process times in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
/**
 * Read at once: a Dovecot has a process for some of its sessions each, and a promise for each file would cost a busy
 * Backend a quarter of a core. Between two of these others get their turn.
 */
const READ_TOGETHER = 32;

/** Measuring takes this share of the time at most: where there are 1,000 sessions it is done less often. */
const REST_FACTOR = 49;
/** On a machine that is busy measuring takes long, and is wanted most. */
const LONGEST_REST_MS = 10_000;

/**
 * Measures at most so often, and hands on each result; null where Dovecot is not running, or the first time.
 * @returns ends it
 */
export function startUsageMeter(
  baseDir: string,
  everyMs: number,
  use: (usage: ProcessUsage | null) => void,
): () => void {
  const measure = createUsageMeter(baseDir);
  let isStopped = false;
  const tick = async () => {
    const beganAtMs = performance.now();
    use(await measure());
    const restMs = Math.min(REST_FACTOR * (performance.now() - beganAtMs), LONGEST_REST_MS);
    if (!isStopped) timer = setTimeout(() => void tick(), Math.max(everyMs, restMs));
  };
  let timer = setTimeout(() => void tick(), everyMs);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

/**
 * Measures the Dovecot of a base_dir; null where it is not running, or on the first call.
 * Processes that ended are counted too: their times are added to the master's.
 */
function createUsageMeter(baseDir: string): () => Promise<ProcessUsage | null> {
  let last: { pid: number; ticks: number; atMs: number } | null = null;
  return async () => {
    const pid = readMasterPid(baseDir);
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

function readMasterPid(baseDir: string): number | null {
  const text = readOrNull(join(baseDir, 'master.pid'));
  return text === null || text === '' ? null : Number.parseInt(text, 10);
}

async function measureTree(master: number) {
  const own = readStat(master);
  if (own === null) return null;
  const children = readOrNull(`/proc/${master}/task/${master}/children`) ?? '';
  const pids = children.split(' ').filter(Boolean).map(Number);
  let ticks = own.ownTicks + own.endedTicks;
  let memoryBytes = readPrivateBytes(master);
  for (const [index, pid] of pids.entries()) {
    if (index % READ_TOGETHER === READ_TOGETHER - 1) await turn();
    ticks += readStat(pid)?.ownTicks ?? 0;
    memoryBytes += readPrivateBytes(pid);
  }
  return { ticks, memoryBytes };
}

/** null: the process is gone. */
function readStat(pid: number) {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in parentheses may contain spaces; the state follows it as field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticksAt = (field: number) => Number(fields[field - 3]);
  return { ownTicks: ticksAt(14) + ticksAt(15), endedTicks: ticksAt(16) + ticksAt(17) };
}

/** Resident pages without those that a file or another process has as well. */
function readPrivateBytes(pid: number): number {
  const [, resident = 0, shared = 0] = (readOrNull(`/proc/${pid}/statm`) ?? '')
    .split(' ')
    .map(Number);
  return (resident - shared) * PAGE_BYTES;
}
