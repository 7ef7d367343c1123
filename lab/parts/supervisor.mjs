/** All supervised parts of one lab, and the orders that outlive it (stopped, killed, frozen). */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabProblem } from './lab-problem.mjs';
import { ProcessRecord } from './process-record.mjs';
import { killGroup } from './run-command.mjs';
import { SupervisedPart } from './supervised-part.mjs';

/** Who ends first; the parts of one stage end together. */
const STOP_ORDER = ['traffic', 'apis', 'workers', 'mail', 'stores'];

export class Supervisor {
  #stateDir;
  #print;
  #record;
  #holdsFile;
  /** @type {Record<string, import('./part-spec.mjs').Hold>} */
  #holds;
  /** @type {Map<string, SupervisedPart>} */
  #parts = new Map();

  /** @param {{ stateDir: string, print: (line: string) => void }} options */
  constructor({ stateDir, print }) {
    this.#stateDir = stateDir;
    this.#print = print;
    this.#record = new ProcessRecord(stateDir);
    this.#holdsFile = join(stateDir, 'holds.json');
    this.#holds = existsSync(this.#holdsFile)
      ? JSON.parse(readFileSync(this.#holdsFile, 'utf8'))
      : {};
  }

  /** @returns {Promise<string[]>} the parts that an earlier supervisor had left running */
  endLeftovers() {
    return this.#record.endLeftovers();
  }

  /**
   * @param {import('./part-spec.mjs').PartSpec} spec
   * @returns {SupervisedPart} not started yet
   */
  add(spec) {
    const part = new SupervisedPart(spec, {
      stateDir: this.#stateDir,
      record: this.#record,
      hold: this.#holds[spec.name] ?? 'none',
      saveHold: (hold) => this.#saveHold(spec.name, hold),
      print: this.#print,
    });
    this.#parts.set(spec.name, part);
    return part;
  }

  #saveHold(name, hold) {
    if (hold === 'none') delete this.#holds[name];
    else this.#holds[name] = hold;
    writeFileSync(`${this.#holdsFile}.new`, `${JSON.stringify(this.#holds, null, 2)}\n`);
    renameSync(`${this.#holdsFile}.new`, this.#holdsFile);
  }

  /** @param {string} name @returns {SupervisedPart} an unknown name is a LabProblem */
  part(name) {
    const part = this.#parts.get(name);
    if (part !== undefined) return part;
    const known = [...this.#parts.keys()].join(', ');
    throw new LabProblem(`There is no part "${name}" in this lab; there are: ${known}.`);
  }

  /** @param {string} name @returns {boolean} */
  has(name) {
    return this.#parts.has(name);
  }

  /** @returns {{ name: string, state: string, hold: string, pid: number | null, sinceMs: number,
   *   restarts: number, logFile: string }[]} */
  status() {
    return [...this.#parts.values()].map((part) => ({
      name: part.name,
      state: part.state,
      hold: part.hold,
      pid: part.pid,
      sinceMs: part.sinceMs,
      restarts: part.restarts,
      logFile: part.logFile,
    }));
  }

  /** Ends everything, stage by stage. @returns {Promise<void>} settles when nothing is left */
  async leave() {
    for (const stage of STOP_ORDER) {
      const parts = [...this.#parts.values()].filter((part) => part.spec.stage === stage);
      await Promise.all(parts.map((part) => part.leave()));
    }
  }

  /** kill -9 of everything at once, as a power cut would. @returns {Promise<void>} */
  async killEverything() {
    const parts = [...this.#parts.values()];
    for (const { pid } of parts) if (pid !== null) killGroup(pid, 'SIGKILL');
    await Promise.all(parts.map((part) => part.leave()));
  }
}
