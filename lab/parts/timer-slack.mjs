/**
 * How late a timer of a process may fire. Cassandra's workers that have nothing to do sleep 10 µs at a
 * time, and in a virtual machine waking up is dear: with the kernel's 50 µs, 190 reads a second cost it
 * 63 % of a core, with 1 ms 26 %, and none of them was later for it (ADR 16).
 */
import { writeFileSync } from 'node:fs';

const FILE = '/proc/self/timerslack_ns';
const SLACK_NANOSECONDS = 1_000_000;
/** The kernel takes it for "as it was when this process began". */
const AS_INHERITED = 0;

/**
 * Runs `start`; processes that it starts, and theirs, have the slack, this one has its own again. Where
 * the system has no such thing they start without.
 * @template T
 * @param {() => T} start
 * @returns {T}
 */
export function withTimerSlack(start) {
  setSlack(SLACK_NANOSECONDS);
  try {
    return start();
  } finally {
    setSlack(AS_INHERITED);
  }
}

function setSlack(nanoseconds) {
  try {
    writeFileSync(FILE, String(nanoseconds));
  } catch {
    // Not Linux, or not allowed: it only saves work.
  }
}
