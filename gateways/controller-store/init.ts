/** Creates and upgrades our own keyspace; api and worker do the same when they start. */
import type { Config } from '../../platform/config.ts';
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import type { Logger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { CassandraSession } from '../cassandra-session.ts';
import { untilPossible } from '../until-possible.ts';
import { migrate } from './migrate.ts';

/** May be run again at any time. Throws GatewayError{system: 'cassandra'}. */
export async function initControllerStore(
  config: Pick<Config, 'cassandra'>,
  logger: Logger,
): Promise<void> {
  const session = new CassandraSession(config.cassandra, logger, createMetrics());
  const { keyspace, localDataCenter } = config.cassandra;
  try {
    await migrate(session, logger, { keyspace, localDataCenter });
    logger.info({ keyspace }, 'the controller store is up to date');
  } finally {
    await session.close();
  }
}

if (import.meta.main) {
  const config = readConfig(process.env);
  const logger = createLogger({ level: config.log.level, role: 'store:init' });
  await untilPossible('migrate the controller store', logger, () =>
    initControllerStore(config, logger),
  );
}
