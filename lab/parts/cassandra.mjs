/** Cassandra: jars from Maven checked against a list, one small node. */
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { constants, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PORTS, coreAddressOf } from './addresses.mjs';
import { CACHE_DIR, ensureFolder } from './folders.mjs';
import { findJava17 } from './java.mjs';
import { LabProblem } from './lab-problem.mjs';
import { findExecutable, runCommand } from './run-command.mjs';

const VERSION = '5.0.9';
const RECIPE_DIR = join(dirname(fileURLToPath(import.meta.url)), 'cassandra');
const JAR_DIR = join(CACHE_DIR, `cassandra-${VERSION}`);

/** Java always; Maven only where the jars are missing. */
export const CASSANDRA_TOOLS = [
  {
    package: 'openjdk-17-jre-headless',
    isThere: async () => (await findJava17()) !== null,
  },
  {
    package: 'maven',
    isThere: () => existsSync(JAR_DIR) || findExecutable('mvn') !== null,
  },
];

/** @param {{ signal?: AbortSignal }} [options] @returns {Promise<string>} what was done */
export async function fetchCassandra({ signal } = {}) {
  if ((await findJava17()) === null) {
    throw new LabProblem(
      'Cassandra needs Java 17 and there is none: apt-get install openjdk-17-jre-headless, ' +
        'or set JAVA17_HOME to where one is.',
    );
  }
  if (existsSync(JAR_DIR)) return `found ${JAR_DIR}`;
  const incoming = join(ensureFolder(CACHE_DIR), `cassandra-incoming-${process.pid}`);
  try {
    await copyJars(incoming, signal);
    checkJars(join(incoming, 'lib'));
    renameSync(join(incoming, 'lib'), JAR_DIR);
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  return `fetched ${VERSION}`;
}

/** Maven gets a repository of its own: the user's is not made for two Mavens at once. */
async function copyJars(incoming, signal) {
  mkdirSync(join(incoming, 'lib'), { recursive: true });
  const copy = ['-q', '-B', '-f', join(RECIPE_DIR, 'pom.xml'), 'dependency:copy-dependencies'];
  const where = [
    `-Dmaven.repo.local=${join(incoming, 'repository')}`,
    `-DoutputDirectory=${join(incoming, 'lib')}`,
    '-DincludeScope=runtime',
  ];
  try {
    await runCommand('mvn', [...copy, ...where], { signal });
  } catch (error) {
    throw new LabProblem(
      `The jars of Cassandra ${VERSION} could not be had from Maven: check that Maven Central ` +
        'can be reached, and run the same command again.',
      { cause: error, tail: error.tail },
    );
  }
}

function checkJars(folder) {
  const lines = readFileSync(join(RECIPE_DIR, 'jars.sha256'), 'utf8').trim().split('\n');
  const wanted = new Map(lines.map((line) => line.split('  ').reverse()));
  for (const [name, hash] of wanted) {
    const file = join(folder, name);
    const found = existsSync(file)
      ? createHash('sha256').update(readFileSync(file)).digest('hex')
      : 'missing';
    if (found !== hash) {
      throw new LabProblem(`${name} from Maven is not what lab/parts/cassandra/jars.sha256 wants.`);
    }
  }
  const strangers = readdirSync(folder).filter((name) => !wanted.has(name));
  if (strangers.length > 0) {
    throw new LabProblem(`Maven brought jars that nobody listed: ${strangers.join(', ')}.`);
  }
}

/**
 * @param {{ net: number, stateDir: string, compilesFully?: boolean }} lab
 * @returns {Promise<import('./part-spec.mjs').PartSpec>}
 */
export async function cassandraPart({ net, stateDir, compilesFully = false }) {
  const address = coreAddressOf(net);
  const data = ensureFolder(join(stateDir, 'cassandra/data'));
  const conf = ensureFolder(join(stateDir, 'cassandra/conf'));
  writeConfiguration(conf, { address, data });
  return {
    name: 'cassandra',
    stage: 'stores',
    command: await findJava17(),
    args: [
      ...javaOptions(conf, data, compilesFully),
      'org.apache.cassandra.service.CassandraDaemon',
    ],
    cwd: join(stateDir, 'cassandra'),
    waitFor: { kind: 'tcp', address, port: PORTS.cassandra },
    deadlineMs: 180_000,
    stopDeadlineMs: 20_000,
  };
}

function writeConfiguration(conf, { address, data }) {
  const template = readFileSync(join(RECIPE_DIR, 'cassandra.yaml.template'), 'utf8');
  const values = {
    ADDRESS: address,
    DATA: data,
    CQL_PORT: String(PORTS.cassandra),
    STORAGE_PORT: String(PORTS.cassandraStorage),
    COMMITLOG_ACCESS: takesDirectWrites(data) ? 'direct' : 'legacy',
  };
  const text = template.replaceAll(/@([A-Z_]+)@/g, (_, name) => values[name]);
  writeFileSync(join(conf, 'cassandra.yaml'), text);
  copyFileSync(join(RECIPE_DIR, 'logback.xml'), join(conf, 'logback.xml'));
}

/**
 * Past the page cache a write to the log takes three quarters of the CPU. Not every file system can do that (tmpfs
 * cannot).
 */
function takesDirectWrites(folder) {
  const file = join(folder, 'direct-write');
  try {
    closeSync(openSync(file, constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT, 0o600));
    return true;
  } catch {
    return false;
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * With both of its compilers, as in production, Java needs about a third less CPU for the same requests, but
 * a minute or two under load to get there, and more CPU until then: for most labs the quick one alone is better.
 */
function javaOptions(conf, data, compilesFully) {
  const lines = readFileSync(join(RECIPE_DIR, 'java-modules.txt'), 'utf8').split('\n');
  return [
    // Xms, not Xmx, decides the memory at the start, because the process locks it
    ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC'],
    ...(compilesFully ? [] : ['-XX:TieredStopAtLevel=1']),
    ...['-XX:+ExitOnOutOfMemoryError', '-XX:-UsePerfData', '-Djdk.attach.allowAttachSelf=true'],
    `-Dcassandra.config=file://${join(conf, 'cassandra.yaml')}`,
    `-Dcassandra.storagedir=${data}`,
    '-Dcassandra-foreground=yes',
    '-Dcassandra.superuser_setup_delay_ms=0',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.ring_delay_ms=1',
    '-Dcassandra.initial_token=0',
    '-Dcassandra.shutdown_announce_in_ms=0',
    ...lines.filter((line) => line.startsWith('--')),
    '-cp',
    `${conf}:${join(JAR_DIR, '*')}`,
  ];
}
