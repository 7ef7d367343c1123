/** Brings our keyspace up to date, one process at a time. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import type { CassandraSession, Statement } from '../cassandra-session.ts';
import { numberOf } from '../cassandra-values.ts';
import { createKeyspace } from '../create-keyspace.ts';
import { GatewayError } from '../gateway-error.ts';
import type { Migration } from './migrations.ts';
import { MIGRATIONS } from './migrations.ts';

/** A process that died in between gives the lock back by itself after that time. */
const LOCK_SECS = 60;
const WAIT_MS = 90_000;

interface MigrateOptions {
  readonly keyspace: string;
  readonly localDataCenter: string;
  readonly migrations?: readonly Migration[];
}

/** May be run at any time by any number of processes. Throws GatewayError{system: 'cassandra'}. */
export async function migrate(
  session: CassandraSession,
  logger: Logger,
  options: MigrateOptions,
): Promise<void> {
  const { keyspace, localDataCenter, migrations = MIGRATIONS } = options;
  const statements = lockStatements(keyspace);
  const isUpToDate = async (): Promise<boolean> => {
    const applied = await readApplied(session, statements.readApplied);
    return migrations.every(({ version }) => applied.has(version));
  };
  if (await isUpToDate()) return;
  await createKeyspace(session, keyspace, localDataCenter);
  for (const cql of bookkeeping(keyspace)) await session.executeSchema('migrate', cql);

  const holder = randomUUID();
  await takeLock(session, statements, holder);
  try {
    const applied = await readApplied(session, statements.readApplied);
    for (const migration of migrations) {
      if (applied.has(migration.version)) continue;
      await apply(session, statements, keyspace, migration);
      logger.info({ version: migration.version, name: migration.name }, 'schema step applied');
    }
  } finally {
    await giveLockBack(session, statements, holder, logger);
  }
}

/** The schema is what counts: a lock that cannot be given back now ends by itself. */
async function giveLockBack(
  session: CassandraSession,
  statements: ReturnType<typeof lockStatements>,
  holder: string,
  logger: Logger,
): Promise<void> {
  try {
    await session.writeIf('migrate', statements.unlock, ['schema', holder]);
  } catch (error) {
    logger.warn({ error, lockSecs: LOCK_SECS }, 'the schema lock stays until it expires');
  }
}

async function apply(
  session: CassandraSession,
  statements: ReturnType<typeof lockStatements>,
  keyspace: string,
  { version, name, cql }: Migration,
): Promise<void> {
  for (const text of cql) {
    await session.executeSchema('migrate', text.replaceAll('{ks}', keyspace));
  }
  await session.write('migrate', statements.saveApplied, [version, name, new Date()]);
}

async function takeLock(
  session: CassandraSession,
  statements: ReturnType<typeof lockStatements>,
  holder: string,
): Promise<void> {
  const deadlineMs = Date.now() + WAIT_MS;
  for (;;) {
    const { applied, row } = await session.writeIf('migrate', statements.lock, ['schema', holder]);
    // ours already: the answer to an earlier try was lost
    if (applied || row?.['holder'] === holder) return;
    if (Date.now() > deadlineMs) {
      throw new GatewayError('another process has been changing the schema for too long', {
        system: 'cassandra',
        operation: 'migrate',
        code: 'Timeout',
        isTemporary: true,
        subject: 'schema_lock',
      });
    }
    await sleep(300);
  }
}

/** No table yet: nothing was applied. */
async function readApplied(
  session: CassandraSession,
  statement: Statement,
): Promise<ReadonlySet<number>> {
  try {
    const rows = await session.read('migrate', statement, []);
    return new Set(rows.map((row) => numberOf(row, 'version') ?? 0));
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'MissingTable') return new Set();
    throw error;
  }
}

function bookkeeping(keyspace: string): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_migrations
       (version int PRIMARY KEY, name text, applied_at timestamp)`,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_lock (name text PRIMARY KEY, holder text)`,
  ];
}

function lockStatements(keyspace: string) {
  const on = (table: string, cql: string): Statement => ({ keyspace, table, cql });
  return {
    readApplied: on('schema_migrations', `SELECT version FROM ${keyspace}.schema_migrations`),
    saveApplied: on(
      'schema_migrations',
      `INSERT INTO ${keyspace}.schema_migrations (version, name, applied_at) VALUES (?, ?, ?)`,
    ),
    lock: on(
      'schema_lock',
      `INSERT INTO ${keyspace}.schema_lock (name, holder) VALUES (?, ?)
         IF NOT EXISTS USING TTL ${LOCK_SECS}`,
    ),
    unlock: on('schema_lock', `DELETE FROM ${keyspace}.schema_lock WHERE name = ? IF holder = ?`),
  };
}
