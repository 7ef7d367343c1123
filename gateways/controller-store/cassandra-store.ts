/** Our own keyspace in Cassandra. */
import type { CassandraSession } from '../cassandra-session.ts';
import { auditMethods } from './audit.ts';
import type { ControllerStore } from './controller-store.ts';
import { decisionMethods } from './decisions.ts';
import { ledgerMethods } from './ledger.ts';
import { operationMethods } from './operations.ts';
import { reachabilityMethods } from './reachability.ts';
import { selectionMethods } from './selections.ts';
import { snapshotMethods } from './snapshots.ts';
import { createStoreStatements } from './statements.ts';
import { switchMethods } from './switches.ts';

export function createControllerStore(
  session: CassandraSession,
  keyspace: string,
): ControllerStore {
  const statements = createStoreStatements(keyspace);
  return {
    ping: async () => {
      await session.readOne('ping', statements.ping, []);
    },
    ...snapshotMethods(session, statements),
    ...decisionMethods(session, statements),
    ...operationMethods(session, statements),
    ...ledgerMethods(session, statements),
    ...selectionMethods(session, statements),
    ...switchMethods(session, statements),
    ...reachabilityMethods(session, statements),
    ...auditMethods(session, statements),
  };
}
