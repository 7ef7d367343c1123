/**
 * A whole lab as one object: `npm start`, `npm test` and the system tests all use this.
 * Everything that it starts is supervised by the process that called startLab.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf, sitesOf } from './addresses.mjs';
import { claimNet } from './control-server.mjs';
import { controllerEnvironment } from './controller.mjs';
import { ROOT_DIR, ensureFolder } from './folders.mjs';
import { labSteps, portsOf, selectParts } from './lab-steps.mjs';
import { LabProblem } from './lab-problem.mjs';
import { plainProgress } from './progress.mjs';
import { findProductNode, runCommand } from './run-command.mjs';
import { runSteps } from './run-steps.mjs';
import { describeLab, lockState, unlockState } from './state-lock.mjs';
import { Supervisor } from './supervisor.mjs';
import { getHttp, isPortFree } from './wait-for.mjs';

const FREE_NETS = { first: 10, last: 99 };
const READY_POLL_MS = 500;

/** @param {import('./lab.mjs').LabOptions} options @returns {Promise<Lab>} */
export async function startLab(options) {
  const stateDir = ensureFolder(options.stateDir);
  lockState(stateDir);
  let control = null;
  let lab = null;
  try {
    control = await takeNet(options.net);
    lab = new Lab(options, control);
    describeLab(stateDir, lab);
    await lab.bringUp(options);
    return lab;
  } catch (error) {
    if (lab !== null) await lab.stop();
    else {
      await control?.server.close();
      unlockState(stateDir);
    }
    throw error;
  }
}

async function takeNet(wanted) {
  const nets = wanted === 'free' ? shuffledFreeNets() : [wanted];
  for (const net of nets) {
    const server = await claimNet(net);
    if (server !== null) return { net, server };
  }
  if (wanted === 'free') {
    throw new LabProblem('All nets from 10 to 99 are in use: stop some of the labs that run.');
  }
  throw new LabProblem(
    `Another lab runs on net ${wanted} (its control is at ${addressesOf(wanted).control}): ` +
      `stop it, or choose another net, for example LAB_NET=${wanted === 7 ? 8 : 7} npm start.`,
  );
}

function shuffledFreeNets() {
  const count = FREE_NETS.last - FREE_NETS.first + 1;
  const begin = Math.floor(Math.random() * count);
  return Array.from({ length: count }, (_, index) => FREE_NETS.first + ((begin + index) % count));
}

export class Lab {
  /** @type {number | null} */
  readyAtMs = null;
  startedAtMs = Date.now();
  #control;
  #supervisor;
  #asked;
  #askPartSettings;
  #partSettings = {};
  #progress;
  #selected;
  #stopping = null;
  #abort = new AbortController();
  #onEnded;

  /** @param {object} options of startLab @param {{ net: number, server: object }} control */
  constructor(options, control) {
    this.net = control.net;
    this.stateDir = options.stateDir;
    this.addresses = addressesOf(this.net);
    this.sites = sitesOf(this.net);
    this.#control = control.server;
    const { settings, compilesFully } = options;
    this.#asked = { settings, compilesFully };
    this.#askPartSettings = options.partSettings;
    this.#progress = options.progress ?? plainProgress(options.print ?? (() => {}));
    this.#selected = selectParts(this.net, options.parts);
    this.#supervisor = new Supervisor({
      stateDir: this.stateDir,
      print: (line) => this.#progress.line(`  ${line}`),
    });
    /** Settles when the lab is down. */
    this.ended = new Promise((resolve) => (this.#onEnded = resolve));
  }

  /** The inside of startLab: rejects where something cannot be had. */
  async bringUp({ signal, extraSteps = [] }) {
    signal?.addEventListener('abort', () => this.#abort.abort(), { once: true });
    if (signal?.aborted === true) this.#abort.abort();
    const leftovers = await this.#supervisor.endLeftovers();
    if (leftovers.length > 0) {
      this.#progress.line(`  ended what an earlier run left over: ${leftovers.join(', ')}`);
    }
    await this.#checkPorts();
    this.#control.serve(this.#actions());
    this.#partSettings = (await this.#askPartSettings?.(this.net)) ?? {};
    const steps = await labSteps(this.#planFor(this.#selected));
    await runSteps([...steps, ...extraSteps], {
      signal: this.#abort.signal,
      onBegin: (name) => this.#progress.begin(name),
      onEnd: (name, seconds, said) => this.#progress.end(name, seconds, said),
      onFail: () => this.#abort.abort(),
    });
    if (this.#abort.signal.aborted) throw new LabProblem('The start was interrupted.');
  }

  #planFor(selected) {
    return {
      net: this.net,
      stateDir: this.stateDir,
      startedAtMs: this.startedAtMs,
      selected,
      ...this.#asked,
      partSettings: this.#partSettings,
      supervisor: this.#supervisor,
    };
  }

  async #checkPorts() {
    const ports = portsOf(this.net, this.#selected);
    const answers = await Promise.all(ports.map(({ address, port }) => isPortFree(address, port)));
    const taken = ports.find((_, index) => !answers[index]);
    if (taken === undefined) return;
    throw new LabProblem(
      `Port ${taken.port} on ${taken.address}, which ${taken.part} needs, is in use: ` +
        'end whatever listens there, or choose another net, for example LAB_NET=7 npm start.',
    );
  }

  #actions() {
    const part = (name) => this.#supervisor.part(name);
    return {
      status: () => ({
        net: this.net,
        stateDir: this.stateDir,
        startedAtMs: this.startedAtMs,
        readyAt: this.readyAtMs,
        parts: this.status(),
      }),
      stop: (name) => part(name).stop(),
      start: (name) => part(name).start(),
      kill: (name, options) => part(name).kill(options),
      freeze: (name) => this.freezePart(name),
      thaw: (name) => part(name).thaw(),
      shutdown: () => {
        this.stop().catch((error) => this.#progress.line(`  ${error.message}`));
      },
    };
  }

  /** @returns {ReturnType<Supervisor['status']>} */
  status() {
    return this.#supervisor.status();
  }

  /** @param {string} name @returns {number} throws where it does not run */
  pidOf(name) {
    const { pid } = this.#supervisor.part(name);
    if (pid === null) throw new LabProblem(`${name} does not run.`);
    return pid;
  }

  /** @param {string} name @returns {string} */
  logFileOf(name) {
    return this.#supervisor.part(name).logFile;
  }

  /** @param {string} name @returns {Promise<void>} down until startPart, also across a restart */
  stopPart(name) {
    return this.#supervisor.part(name).stop();
  }

  /** @param {string} name */
  startPart(name) {
    this.#supervisor.part(name).start();
  }

  /**
   * kill -9 of the whole process group.
   * @param {string} name
   * @param {{ staysDown?: boolean }} [options] staysDown: until startPart; otherwise supervised
   * @returns {Promise<void>}
   */
  killPart(name, options) {
    return this.#supervisor.part(name).kill(options);
  }

  /** @param {string} name */
  freezePart(name) {
    if (!this.#supervisor.part(name).freeze()) {
      throw new LabProblem(`${name} does not run, so it cannot be frozen.`);
    }
  }

  /** @param {string} name */
  thawPart(name) {
    this.#supervisor.part(name).thaw();
  }

  /**
   * Starts one more part of a running lab, for example `worker-north-2`.
   * @param {string} name
   */
  async addPart(name) {
    if (this.#supervisor.has(name)) return this.startPart(name);
    const steps = await labSteps(this.#planFor(new Set([name])));
    const step = steps.find((one) => one.name === name);
    if (step === undefined) throw new LabProblem(`There is no part "${name}".`);
    await step.run(this.#abort.signal);
  }

  /** @param {string} siteName @returns {Record<string, string>} of its controller's processes */
  environmentOf(siteName) {
    const { net, startedAtMs } = this;
    const { settings } = this.#asked;
    return controllerEnvironment({ net, siteName, settings, readyAfterMs: startedAtMs });
  }

  /**
   * Runs one of the product's own scripts, for example api/issue-token.ts, as that site.
   * @param {string} siteName
   * @param {string[]} args the script and its arguments
   * @returns {Promise<string>} what it printed
   */
  async runScript(siteName, args) {
    const env = this.environmentOf(siteName);
    const output = await runCommand(findProductNode(), args, { cwd: ROOT_DIR, env });
    return output.trim();
  }

  /**
   * Waits until the API of each site calls itself ready.
   * @param {{ deadlineMs: number }} options
   * @returns {Promise<{ isReady: boolean, answers: Record<string, string> }>} answers: the last
   *   word of each API
   */
  async waitReady({ deadlineMs }) {
    const endAtMs = Date.now() + deadlineMs;
    const sites = this.sites.filter(({ name }) => this.#selected.has(`api-${name}`));
    const answers = {};
    for (;;) {
      const ready = await Promise.all(
        sites.map(async ({ name, api }) => {
          const answer = await getHttp(`http://${api}/health/ready`, { timeoutMs: 5000 });
          answers[name] = answer?.body ?? 'no answer';
          return answer?.status === 200;
        }),
      );
      const isReady = ready.every(Boolean);
      if (isReady) this.readyAtMs ??= Date.now();
      if (isReady || this.#abort.signal.aborted || Date.now() > endAtMs) {
        return { isReady, answers };
      }
      await sleep(READY_POLL_MS);
    }
  }

  /** @returns {boolean} whether it ends, or has ended */
  get isStopping() {
    return this.#stopping !== null;
  }

  /** Ends everything in good order. @returns {Promise<void>} settles when nothing is left */
  stop() {
    this.#stopping ??= this.#end(() => this.#supervisor.leave());
    return this.#stopping;
  }

  /** kill -9 of everything at once; startLab goes on from there. @returns {Promise<void>} */
  killEverything() {
    const isFirst = this.#stopping === null;
    const ending = this.#supervisor.killEverything();
    if (isFirst) this.#stopping = this.#end(() => ending);
    return this.#stopping;
  }

  async #end(endParts) {
    this.#abort.abort();
    await endParts();
    await this.#control.close();
    unlockState(this.stateDir);
    this.#progress.close();
    this.#onEnded();
  }
}
