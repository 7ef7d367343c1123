/** `npm run site:claim`: this controller takes its site over; the one that had it turns passive. */
import { readConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createGateways } from '../create-gateways.ts';

const config = readConfig(process.env);
const logger = createLogger({ level: config.log.level, role: 'site:claim', site: config.site });
const gateways = createGateways(config, logger, createMetrics({ isDefaultIncluded: false }));
try {
  const owner = await gateways.temporal.readOwnerName();
  const former = await gateways.geodb.readOwner(config.site);
  const claimed = await gateways.geodb.claim(config.site, owner);
  logger.info({ ...claimed, former: former?.owner ?? null }, 'the site is ours');
} finally {
  await gateways.close();
}
