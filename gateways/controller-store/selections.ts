/** Users by name, for movers: lists that somebody asked to be moved, and moves that others left. */
import type { ForeignMove, ForeignMoveScan } from '../../workflows/domain/user-move.ts';
import type { CassandraSession } from '../cassandra-session.ts';
import { numberOf, orUnset, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import type { ControllerStore } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type SelectionMethods = Pick<
  ControllerStore,
  | 'saveSelectedUsers'
  | 'readSelectedUsers'
  | 'readForeignMoves'
  | 'saveForeignMoves'
  | 'removeForeignMoves'
  | 'readForeignMoveScan'
  | 'saveForeignMoveScan'
>;

export function selectionMethods(
  session: CassandraSession,
  statements: StoreStatements,
): SelectionMethods {
  return {
    saveSelectedUsers: (selectionId, users) =>
      session.writeMany(
        'saveSelectedUsers',
        users.map(({ username, targetId }) => ({
          statement: statements.saveSelectedUser,
          params: [selectionId, username, orUnset(targetId)],
        })),
      ),
    readSelectedUsers: async (selectionId) => {
      const { readSelectedUsers } = statements;
      const rows = await session.read('readSelectedUsers', readSelectedUsers, [selectionId]);
      return rows.map((row) => ({
        username: requiredText(row, 'username'),
        targetId: textOf(row, 'target_id'),
      }));
    },
    ...foreignMoveMethods(session, statements),
  };
}

type ForeignMoveMethods = Pick<
  ControllerStore,
  | 'readForeignMoves'
  | 'saveForeignMoves'
  | 'removeForeignMoves'
  | 'readForeignMoveScan'
  | 'saveForeignMoveScan'
>;

function foreignMoveMethods(
  session: CassandraSession,
  statements: StoreStatements,
): ForeignMoveMethods {
  return {
    readForeignMoves: async (siteName) => {
      const rows = await session.read('readForeignMoves', statements.readForeignMoves, [siteName]);
      return rows.map((row): ForeignMove => ({
        username: requiredText(row, 'username'),
        sourceId: requiredText(row, 'source_id'),
        targetId: textOf(row, 'target_id'),
        firstSeenAtMs: numberOf(row, 'first_seen_at_ms') ?? 0,
      }));
    },
    saveForeignMoves: (siteName, moves) =>
      session.writeMany(
        'saveForeignMoves',
        moves.map(({ sourceId, username, targetId, firstSeenAtMs }) => ({
          statement: statements.saveForeignMove,
          params: [siteName, sourceId, username, targetId, toBigint(firstSeenAtMs)],
        })),
      ),
    removeForeignMoves: (siteName, moves) =>
      session.writeMany(
        'removeForeignMoves',
        moves.map(({ sourceId, username }) => ({
          statement: statements.removeForeignMove,
          params: [siteName, sourceId, username],
        })),
      ),
    readForeignMoveScan: async (siteName) => {
      const { readForeignMoveScan } = statements;
      const row = await session.readOne('readForeignMoveScan', readForeignMoveScan, [siteName]);
      return row === null ? null : (JSON.parse(requiredText(row, 'body')) as ForeignMoveScan);
    },
    saveForeignMoveScan: async (siteName, scan) => {
      const params = [siteName, JSON.stringify(scan)];
      await session.write('saveForeignMoveScan', statements.saveForeignMoveScan, params);
    },
  };
}
