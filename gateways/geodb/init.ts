/** `npm run geodb:init`: creates the GeoDB keyspace, its tables and indexes where they are missing. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../../platform/config.ts';
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import type { Logger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { CassandraSession } from '../cassandra-session.ts';
import { createKeyspace } from '../create-keyspace.ts';
import { untilPossible } from '../until-possible.ts';

/** May be run again at any time. Throws GatewayError{system: 'cassandra'}. */
export async function initGeodb(config: Pick<Config, 'cassandra'>, logger: Logger): Promise<void> {
  const session = new CassandraSession(config.cassandra, logger, createMetrics());
  try {
    const { geodbKeyspace: keyspace, geodbTables } = config.cassandra;
    await createKeyspace(session, keyspace, config.cassandra.localDataCenter);
    for (const cql of await readSchema(keyspace, geodbTables))
      await session.executeSchema('initGeodb', cql);
    logger.info({ keyspace }, 'the GeoDB is there');
  } finally {
    await session.close();
  }
}

/** The schema names its tables without a keyspace: it is put before each. */
async function readSchema(
  keyspace: string,
  tables: Readonly<Record<string, string>>,
): Promise<string[]> {
  const put = (_all: string, begin: string, table: string): string =>
    `${begin}${keyspace}.${tables[table] ?? table}`;
  const text = await readFile(new URL('schema.cql', import.meta.url), 'utf8');
  return text
    .replaceAll(/^--.*$/gm, '')
    .split(';')
    .map((cql) => cql.trim())
    .filter((cql) => cql !== '')
    .map((cql) =>
      cql
        .replace(/^(CREATE TABLE IF NOT EXISTS )(\w+)/, put)
        .replace(/^(CREATE CUSTOM INDEX IF NOT EXISTS \w+ ON )(\w+)/, put),
    );
}

if (import.meta.main) {
  const config = readConfig(process.env);
  const logger = createLogger({ level: config.log.level, role: 'geodb:init' });
  await untilPossible('create the GeoDB', logger, () => initGeodb(config, logger));
}
