/** Cassandra 5.0 runs on Java 17 and refuses newer ones, so it is looked for explicitly. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable, runCommand } from './run-command.mjs';

const JVM_FOLDER = '/usr/lib/jvm';

/** @type {string | null} asking a Java for its version takes a while */
let found = null;

/** @returns {Promise<string | null>} the path of a Java 17 */
export async function findJava17() {
  if (found !== null) return found;
  for (const java of candidates()) {
    if (existsSync(java) && (await isJava17(java))) {
      found = java;
      return java;
    }
  }
  return null;
}

function candidates() {
  const homes = [process.env.JAVA17_HOME, process.env.JAVA_HOME].filter(Boolean);
  const installed = existsSync(JVM_FOLDER) ? readdirSync(JVM_FOLDER) : [];
  const likely = installed.filter((name) => name.includes('17')).sort();
  const onPath = findExecutable('java');
  return [
    ...homes.map((home) => join(home, 'bin/java')),
    ...likely.map((name) => join(JVM_FOLDER, name, 'bin/java')),
    ...(onPath === null ? [] : [onPath]),
  ];
}

/** Java prints its version to the standard error. */
async function isJava17(java) {
  let isWanted = false;
  const onLine = (line) => (isWanted ||= /version "17[."]/.test(line));
  try {
    await runCommand(java, ['-version'], { onLine });
  } catch {
    return false;
  }
  return isWanted;
}
