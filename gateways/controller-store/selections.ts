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
  | 'saveHomesBefore'
  | 'readHomesBefore'
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
    ...homesBeforeMethods(session, statements),
    ...foreignMoveMethods(session, statements),
  };
}

/** Written last: how many pages there are. */
const WHOLE = -1;
const NAMES_A_PAGE = 1_000;

function homesBeforeMethods(
  session: CassandraSession,
  statements: StoreStatements,
): Pick<ControllerStore, 'saveHomesBefore' | 'readHomesBefore'> {
  return {
    saveHomesBefore: async (operationId, chunk, usernames) => {
      const pages = Array.from({ length: Math.ceil(usernames.length / NAMES_A_PAGE) }, (_, at) =>
        usernames.slice(at * NAMES_A_PAGE, (at + 1) * NAMES_A_PAGE),
      );
      const write = (page: number, body: unknown) => ({
        statement: statements.saveHomesBefore,
        params: [operationId, chunk, page, JSON.stringify(body)],
      });
      await session.writeMany(
        'saveHomesBefore',
        pages.map((names, page) => write(page, names)),
      );
      await session.writeMany('saveHomesBefore', [write(WHOLE, pages.length)]);
    },
    readHomesBefore: async (operationId, chunk) => {
      const { readHomesBefore } = statements;
      const rows = await session.read('readHomesBefore', readHomesBefore, [operationId, chunk]);
      const bodies = new Map(
        rows.map((row) => [
          numberOf(row, 'page'),
          JSON.parse(requiredText(row, 'body')) as unknown,
        ]),
      );
      const pages = bodies.get(WHOLE);
      if (typeof pages !== 'number') return null;
      return Array.from({ length: pages }, (_, page) => bodies.get(page) as string[]).flat();
    },
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
