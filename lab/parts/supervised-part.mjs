/**
 * One process of the lab with its process group: started, awaited, started again when it dies,
 * stopped, frozen.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { logFileOf } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';
import { readTail, rotateLog } from './part-log.mjs';
import { LAB_MARK } from './process-record.mjs';
import { endGroup } from './process-table.mjs';
import { inheritedEnvironment, killGroup } from './run-command.mjs';
import { withTimerSlack } from './timer-slack.mjs';
import { probe, waitUntil } from './wait-for.mjs';

const FIRST_RESTART_MS = 300;
const LONGEST_RESTART_MS = 30_000;
/** Who lived this long has earned a fast restart. */
const STEADY_AFTER_MS = 60_000;
const EXITS_BEFORE_GIVING_UP = 3;
/** For the children of a process that ended in good order. */
const CLEAN_END_MS = 2000;

/** @typedef {import('./part-spec.mjs').Hold} Hold */

export class SupervisedPart {
  state = 'waiting';
  sinceMs = Date.now();
  restarts = 0;
  /** @type {number | null} */
  pid = null;
  #context;
  #exits = 0;
  #startedAtMs = 0;
  #restartMs = FIRST_RESTART_MS;
  #restartTimer = null;
  #isLeaving = false;
  /** Settles when the present process and its whole group are gone. */
  #gone = Promise.resolve();

  /**
   * @param {import('./part-spec.mjs').PartSpec} spec
   * @param {{ stateDir: string, record: import('./process-record.mjs').ProcessRecord,
   *   hold: Hold, saveHold: (hold: Hold) => void, print: (line: string) => void }} context
   */
  constructor(spec, context) {
    this.spec = spec;
    this.hold = context.hold;
    this.logFile = logFileOf(context.stateDir, spec.name);
    this.#context = context;
  }

  get name() {
    return this.spec.name;
  }

  /** @returns {boolean} whether somebody ordered it to stay down */
  get isHeldDown() {
    return this.hold === 'stopped' || this.hold === 'killed';
  }

  /**
   * The first start of a lab: spawns it and waits until it answers.
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>} rejects with a LabProblem where it does not get ready in time
   */
  async startFirst(signal) {
    if (this.isHeldDown) {
      this.#enter(this.hold);
      return;
    }
    this.#spawn();
    await this.#awaitReady(signal);
    await this.spec.afterFirstStart?.(signal);
  }

  async #awaitReady(signal) {
    const deadlineMs = this.spec.deadlineMs ?? 30_000;
    const hasFailed = () => this.#exits >= EXITS_BEFORE_GIVING_UP || this.#isLeaving;
    const isReady = async () =>
      hasFailed() || (this.pid !== null && (await this.#probe(signal)) && this.pid !== null);
    const isOver = await waitUntil(isReady, { deadlineMs, signal });
    if (signal?.aborted === true) return;
    if (!isOver || hasFailed()) {
      const what = hasFailed()
        ? `ended ${this.#exits} times before it was ready`
        : `was not ready after ${deadlineMs / 1000} s`;
      throw new LabProblem(`${this.name} ${what}: its log ${this.logFile} tells why.`, {
        tail: readTail(this.logFile),
      });
    }
    this.#enterRunning();
  }

  #probe(signal) {
    const { isReady, waitFor } = this.spec;
    if (isReady !== undefined) return isReady(signal);
    return waitFor === undefined ? true : probe(waitFor);
  }

  #enterRunning() {
    // again, because a shell that started it has become another program by now
    if (this.pid !== null) this.#context.record.add(this.name, this.pid);
    if (this.hold === 'frozen' && this.pid !== null) {
      killGroup(this.pid, 'SIGSTOP');
      this.#enter('frozen');
      return;
    }
    this.#enter('running');
  }

  #enter(state) {
    this.state = state;
    this.sinceMs = Date.now();
  }

  #spawn() {
    const { command, args, env, cwd, name } = this.spec;
    rotateLog(this.logFile);
    const log = openSync(this.logFile, 'a');
    const child = withTimerSlack(() =>
      spawn(command, args, {
        cwd: cwd ?? this.#context.stateDir,
        env: { ...inheritedEnvironment(), [LAB_MARK]: this.#context.stateDir, ...env },
        stdio: ['ignore', log, log],
        detached: true,
      }),
    );
    closeSync(log);
    if (child.pid !== undefined) giveNiceness(child.pid, this.spec.niceness);
    this.#startedAtMs = Date.now();
    this.#enter('starting');
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return;
        this.#context.print(`${name} could not be started: ${error.message}`);
        this.#onGone('could not be started');
        resolve();
      });
      child.once('exit', (code, killedBy) => {
        const how = code === null ? `killed by ${killedBy}` : `exit code ${code}`;
        endGroup(child.pid, code === 0 ? CLEAN_END_MS : 0).then(() => {
          this.#onGone(how);
          resolve();
        });
      });
    });
    if (child.pid === undefined) return;
    this.pid = child.pid;
    this.#context.record.add(name, child.pid);
  }

  /** The process and everything of its group is gone: say so and start it again, if wanted. */
  #onGone(how) {
    this.pid = null;
    this.#exits += 1;
    this.#context.record.remove(this.name);
    if (this.#isLeaving || this.isHeldDown) {
      this.#enter(this.isHeldDown ? this.hold : 'ended');
      return;
    }
    if (Date.now() - this.#startedAtMs >= STEADY_AFTER_MS) this.#restartMs = FIRST_RESTART_MS;
    const waitMs = this.#restartMs;
    this.#restartMs = waitMs < 1000 ? 1000 : Math.min(waitMs * 2, LONGEST_RESTART_MS);
    this.#enter('restarting');
    const { print } = this.#context;
    print(`${this.name} died (${how}); it is started again in ${waitMs / 1000} s`);
    this.#restartTimer = setTimeout(() => this.#restart(), waitMs);
  }

  async #restart() {
    this.#restartTimer = null;
    this.restarts += 1;
    this.#spawn();
    const { pid } = this;
    const deadlineMs = this.spec.deadlineMs ?? 30_000;
    const isSettled = async () => this.pid !== pid || (await this.#probe());
    const isInTime = await waitUntil(isSettled, { deadlineMs });
    if (this.pid !== pid || pid === null || this.state !== 'starting') return;
    const seconds = ((Date.now() - this.#startedAtMs) / 1000).toFixed(1);
    if (isInTime) this.#context.print(`${this.name} is back after ${seconds} s`);
    else this.#context.print(`${this.name} runs again, but does not answer after ${seconds} s`);
    this.#enterRunning();
  }

  /** Starts it again after it was held, or thaws it. */
  start() {
    this.#setHold('none');
    if (this.#isLeaving) return;
    if (this.pid !== null) {
      this.thaw();
      return;
    }
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    this.#restartMs = FIRST_RESTART_MS;
    this.#restart().catch((error) => this.#context.print(`${this.name}: ${error.message}`));
  }

  /** @returns {Promise<void>} settles when it is down; it stays down until start() */
  async stop() {
    this.#setHold('stopped');
    await this.#end();
  }

  /**
   * SIGKILL to the whole group at once.
   * @param {{ staysDown?: boolean }} [options] staysDown: until start()
   * @returns {Promise<void>} settles when it is gone
   */
  async kill({ staysDown = false } = {}) {
    if (staysDown) this.#setHold('killed');
    this.#cancelRestart(staysDown);
    if (this.pid !== null) killGroup(this.pid, 'SIGKILL');
    await this.#gone;
  }

  /** @returns {boolean} false: it is not running */
  freeze() {
    if (this.pid === null) return false;
    this.#setHold('frozen');
    killGroup(this.pid, 'SIGSTOP');
    this.#enter('frozen');
    return true;
  }

  /** Lets a frozen one go on; a part that is not frozen is left alone. */
  thaw() {
    if (this.hold === 'frozen') this.#setHold('none');
    if (this.state !== 'frozen' || this.pid === null) return;
    killGroup(this.pid, 'SIGCONT');
    this.#enter('running');
  }

  /** The lab ends: no restart any more. @returns {Promise<void>} settles when it is gone */
  async leave() {
    this.#isLeaving = true;
    await this.#end();
  }

  async #end() {
    this.#cancelRestart(true);
    if (this.pid === null) return;
    const { pid, spec } = this;
    // a frozen one would hear SIGTERM only when thawed, and could act on an old plan then
    killGroup(pid, this.state === 'frozen' ? 'SIGKILL' : (spec.stopSignal ?? 'SIGTERM'));
    const timer = setTimeout(() => killGroup(pid, 'SIGKILL'), spec.stopDeadlineMs ?? 10_000);
    await this.#gone;
    clearTimeout(timer);
  }

  #cancelRestart(isDown) {
    if (this.#restartTimer === null || !isDown) return;
    clearTimeout(this.#restartTimer);
    this.#restartTimer = null;
    this.#enter(this.isHeldDown ? this.hold : 'ended');
  }

  #setHold(hold) {
    if (this.hold === hold) return;
    this.hold = hold;
    this.#context.saveHold(hold);
  }
}

/**
 * Threads that it starts later have it too. Every part is a session of its own, and the kernel shares the cores out
 * among sessions first, so that the session needs it as well. Where that is not allowed it runs as all others do.
 */
function giveNiceness(pid, niceness) {
  if (niceness === undefined) return;
  try {
    setPriority(pid, niceness);
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // Not root, or no such groups: nothing depends on it but how long the worker waits for a busy core.
  }
}
