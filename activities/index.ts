/** All that workflows may do to the world, on one screen. */
import { createAskMovers, type AskMoversActivities } from './ask-movers.ts';
import { createAuditControl, type AuditControlActivities } from './audit-control.ts';
import { createChangeBackend, type ChangeBackendActivities } from './change-backend.ts';
import { createCleanUp, type CleanUpActivities } from './clean-up.ts';
import { createCloseLedger, type CloseLedgerActivities } from './close-ledger.ts';
import type { ActivityContext } from './context.ts';
import { createForeignMoves, type ForeignMovesActivities } from './foreign-moves.ts';
import { createMoveUsers, type MoveUsersActivities } from './move-users.ts';
import { createReadCluster, type ReadClusterActivities } from './read-cluster.ts';
import { createReadMetrics, type ReadMetricsActivities } from './read-metrics.ts';
import { createReadMoves, type ReadMovesActivities } from './read-moves.ts';
import { createRecordDecision, type RecordDecisionActivities } from './record-decision.ts';
import { createFindReachable } from './reachable-hosts.ts';
import { mapFailures } from './to-failure.ts';
import { createUserCounts } from './user-counts.ts';

export type Activities = ReadClusterActivities &
  ReadMetricsActivities &
  ReadMovesActivities &
  ForeignMovesActivities &
  RecordDecisionActivities &
  MoveUsersActivities &
  ChangeBackendActivities &
  AskMoversActivities &
  AuditControlActivities &
  CleanUpActivities &
  CloseLedgerActivities;

export function createActivities(context: ActivityContext): Activities {
  const looks = {
    findReachable: createFindReachable(context),
    userCounts: createUserCounts(context),
  };
  return mapFailures({
    ...createReadCluster(context, looks),
    ...createReadMetrics(context, looks),
    ...createReadMoves(context),
    ...createForeignMoves(context),
    ...createRecordDecision(context),
    ...createMoveUsers(context, looks),
    ...createChangeBackend(context),
    ...createAskMovers(context),
    ...createAuditControl(context),
    ...createCleanUp(context),
    ...createCloseLedger(context),
  });
}
