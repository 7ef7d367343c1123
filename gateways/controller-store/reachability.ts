/** Whether the doveadm of each Backend was reached: one row a site, read and written as a whole. */
import type { BackendReachability } from '../../workflows/domain/backend.ts';
import type { CassandraSession } from '../cassandra-session.ts';
import { requiredText } from '../cassandra-values.ts';
import type { ControllerStore } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type ReachabilityMethods = Pick<ControllerStore, 'readReachability' | 'saveReachability'>;

export function reachabilityMethods(
  session: CassandraSession,
  statements: StoreStatements,
): ReachabilityMethods {
  return {
    readReachability: async (siteName) => {
      const key = [siteName];
      const row = await session.readOne('readReachability', statements.readReachability, key);
      return row === null ? [] : (JSON.parse(requiredText(row, 'body')) as BackendReachability[]);
    },
    saveReachability: async (siteName, backends) => {
      const params = [siteName, JSON.stringify(backends)];
      await session.write('saveReachability', statements.saveReachability, params);
    },
  };
}
