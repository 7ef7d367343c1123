/** Runs a command to its end: downloads, builds, one-time steps. */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT_DIR } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';

const TAIL_CHARACTERS = 4000;
const EXTRA_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** @param {string} name @returns {string | null} the path of an executable, also in sbin folders */
export function findExecutable(name) {
  const bin = join(ROOT_DIR, 'node_modules/.bin');
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...EXTRA_FOLDERS];
  for (const folder of folders) {
    if (folder !== '' && folder !== bin && existsSync(join(folder, name))) {
      return join(folder, name);
    }
  }
  return null;
}

/** @returns {string} the Node that the product runs on; it comes with `npm ci` */
export function findProductNode() {
  const fetched = join(ROOT_DIR, 'node_modules/.bin/node');
  if (existsSync(fetched)) return realpathSync(fetched);
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  throw new LabProblem(
    `Dovekeeper needs Node 24, and npm has none for ${process.platform} ${process.arch}: ` +
      'install Node 24 yourself and run the same command with it.',
  );
}

/** @returns {NodeJS.ProcessEnv} our environment without what npm and a test runner put into it */
export function inheritedEnvironment() {
  const dropped = /^(npm_|VITEST|NODE_OPTIONS$|NODE_ENV$|NODE_V8_COVERAGE$|INIT_CWD$|TEST$)/;
  const kept = Object.entries(process.env).filter(([name]) => !dropped.test(name));
  const environment = Object.fromEntries(kept);
  const bin = join(ROOT_DIR, 'node_modules/.bin');
  const folders = (environment.PATH ?? '').split(delimiter);
  environment.PATH = folders.filter((folder) => !folder.includes(bin)).join(delimiter);
  return environment;
}

/**
 * Runs a command in its own process group and collects what it says.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, signal?: AbortSignal, onLine?:
 *   (line: string) => void, mayInterrupt?: boolean }} [options]
 *   mayInterrupt false: an abort waits for the end instead of killing (dpkg must not be torn off)
 * @returns {Promise<string>} its standard output; a failure carries the last lines as `tail`
 */
export function runCommand(command, args, options = {}) {
  const { signal, mayInterrupt = true } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT_DIR,
      env: { ...inheritedEnvironment(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    let tail = '';
    const collect = (text) => {
      tail = (tail + text).slice(-TAIL_CHARACTERS);
      if (options.onLine !== undefined) text.split('\n').filter(Boolean).forEach(options.onLine);
    };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      collect(text);
    });
    child.stderr.setEncoding('utf8').on('data', collect);
    const interrupt = () => {
      if (mayInterrupt && child.pid !== undefined) killGroup(child.pid, 'SIGTERM');
    };
    if (signal?.aborted === true) interrupt();
    signal?.addEventListener('abort', interrupt, { once: true });
    const finish = () => signal?.removeEventListener('abort', interrupt);
    child.once('error', (cause) => {
      finish();
      reject(new LabProblem(`${command} could not be started: ${cause.message}.`, { cause }));
    });
    child.once('close', (code, killedBy) => {
      finish();
      if (code === 0) return resolve(output);
      const how = code === null ? `was ended by ${killedBy}` : `ended with exit code ${code}`;
      reject(new LabProblem(`${command} ${how}.`, { tail }));
    });
  });
}

/**
 * Sends a signal to a whole process group; a group that is gone is no error.
 * @param {number} pid the leader's, even where the leader itself is gone
 * @param {NodeJS.Signals | 0} signal
 * @returns {boolean} whether somebody was there
 */
export function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    if (error.code === 'EPERM') return true;
    throw error;
  }
}
