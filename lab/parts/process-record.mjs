/**
 * The list of processes that a lab has started, kept in a file: when a supervisor was killed with
 * -9, the next one finds what is left over and ends exactly that.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  isGroupAlive,
  listProcesses,
  readBootId,
  readEnvironment,
  readExecutable,
  readProcess,
} from './process-table.mjs';
import { killGroup } from './run-command.mjs';
import { waitUntil } from './wait-for.mjs';

/** Set in the environment of everything a lab starts, so that it can be told from others. */
export const LAB_MARK = 'DOVEKEEPER_LAB';
/** Then SIGKILL: nothing of a lab minds it, and somebody waits for the next one. */
const END_DEADLINE_MS = 3000;
const KILL_DEADLINE_MS = 10_000;

/**
 * @typedef {{ name: string, pid: number, startTicks: number, executable: string }} RecordedProcess
 *   pid: the leader of a session and process group of its own
 */

export class ProcessRecord {
  #file;
  #bootId = readBootId();
  /** @type {Map<string, RecordedProcess>} */
  #processes = new Map();

  /** @param {string} stateDir */
  constructor(stateDir) {
    this.#file = join(stateDir, 'processes.json');
  }

  /** @param {string} name @param {number} pid */
  add(name, pid) {
    const startTicks = readProcess(pid)?.startTicks ?? 0;
    this.#processes.set(name, { name, pid, startTicks, executable: readExecutable(pid) });
    this.#write();
  }

  /** @param {string} name */
  remove(name) {
    if (this.#processes.delete(name)) this.#write();
  }

  #write() {
    const content = { bootId: this.#bootId, processes: [...this.#processes.values()] };
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(content, null, 2)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /**
   * Ends what an earlier supervisor of the same state left running.
   * @returns {Promise<string[]>} the names of the parts that were ended
   */
  async endLeftovers() {
    const leftovers = readRecord(this.#file, this.#bootId).filter(isStillOurs);
    for (const { pid } of leftovers) killGroup(pid, 'SIGTERM');
    // a frozen one hears the first signal only when it is thawed, and shall do nothing else then
    for (const { pid } of leftovers) if (isGroupFrozen(pid)) killGroup(pid, 'SIGKILL');
    const areGone = () => leftovers.every(({ pid }) => !isGroupAlive(pid));
    if (!(await waitUntil(areGone, { deadlineMs: END_DEADLINE_MS }))) {
      for (const { pid } of leftovers) killGroup(pid, 'SIGKILL');
      await waitUntil(areGone, { deadlineMs: KILL_DEADLINE_MS });
    }
    this.#write();
    return leftovers.map(({ name }) => name);
  }
}

function readRecord(file, bootId) {
  if (!existsSync(file)) return [];
  try {
    const content = JSON.parse(readFileSync(file, 'utf8'));
    return content.bootId === bootId ? content.processes : [];
  } catch {
    return [];
  }
}

/**
 * A process number is not given out again while a session of that number has members, but it may
 * have been free in between: the leader must have started when ours did, and where the leader is
 * gone, a member must bear our mark or be of the same kind of program.
 */
function isStillOurs({ pid, startTicks, executable }) {
  const leader = readProcess(pid);
  if (leader !== null && leader.state !== 'Z') return leader.startTicks === startTicks;
  const members = listProcesses().filter((one) => one.session === pid);
  const family = executable.split('/').at(-1);
  return members.some(
    (one) =>
      one.startTicks >= startTicks &&
      (readEnvironment(one.pid).includes(`${LAB_MARK}=`) ||
        (family !== '' && readExecutable(one.pid).includes(family))),
  );
}

function isGroupFrozen(pid) {
  return listProcesses().some((one) => one.session === pid && one.state === 'T');
}
