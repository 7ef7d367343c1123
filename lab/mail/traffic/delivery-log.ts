/** Where every delivery attempt of the traffic is written down. */
import { join } from 'node:path';
import { mailFolderOf } from '../hosts.mjs';

export const deliveryLogOf = (stateDir: string) =>
  join(mailFolderOf(stateDir), 'traffic', 'deliveries.ndjson');
