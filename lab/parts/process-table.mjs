/** What the kernel says about running processes (Linux: /proc). */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { killGroup } from './run-command.mjs';
import { waitUntil } from './wait-for.mjs';

const GROUP_END_MS = 5000;

/**
 * A dead member that nobody has collected yet still receives signals, so the states are read too.
 * @param {number} pid of the leader
 * @returns {boolean} whether anybody of its process group still runs
 */
export function isGroupAlive(pid) {
  if (!killGroup(pid, 0)) return false;
  return listProcesses().some((one) => one.group === pid && !'ZX'.includes(one.state));
}

/**
 * Members of a group outlive their leader when only that was killed.
 * @param {number} pid of the leader
 * @param {number} graceMs before SIGKILL
 */
export async function endGroup(pid, graceMs) {
  const isOver = () => !isGroupAlive(pid);
  if (isOver() || (await waitUntil(isOver, { deadlineMs: graceMs }))) return;
  killGroup(pid, 'SIGKILL');
  await waitUntil(isOver, { deadlineMs: GROUP_END_MS });
}

/**
 * @param {number} pid
 * @returns {{ pid: number, state: string, group: number, session: number,
 *   startTicks: number } | null} null: there is no such process */
export function readProcess(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return {
      pid,
      state: fields[0],
      group: Number(fields[2]),
      session: Number(fields[3]),
      startTicks: Number(fields[19]),
    };
  } catch {
    return null;
  }
}

export function listProcesses() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((one) => one !== null);
}

export function readExecutable(pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

export function readEnvironment(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

export function readBootId() {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
