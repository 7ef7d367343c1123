/** Operations: one row each, an index by site and one of those that have not ended. */
import { isEnded } from '../../workflows/domain/operation.ts';
import type { Operation } from '../../workflows/domain/operation.ts';
import type { CassandraSession, Row } from '../cassandra-session.ts';
import { requiredText } from '../cassandra-values.ts';
import type { ControllerStore } from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type OperationMethods = Pick<
  ControllerStore,
  'saveOperation' | 'readOperation' | 'listOperations' | 'listOpenOperations'
>;

const AFTER_ALL_IDS = '~';
const MICROS_A_DAY = 86_400_000_000n;

export function operationMethods(
  session: CassandraSession,
  statements: StoreStatements,
): OperationMethods {
  const readOperation = async (operationId: string): Promise<Operation | null> => {
    const row = await session.readOne('readOperation', statements.readOperation, [operationId]);
    return row === null ? null : (JSON.parse(requiredText(row, 'body')) as Operation);
  };
  const readAll = async (pointers: readonly Row[]): Promise<Operation[]> => {
    const byId = new Map<string, Operation>();
    await session.forEach(pointers, async (pointer) => {
      const operation = await readOperation(requiredText(pointer, 'operation_id'));
      if (operation !== null) byId.set(operation.operationId, operation);
    });
    return pointers
      .map((pointer) => byId.get(requiredText(pointer, 'operation_id')))
      .filter((operation) => operation !== undefined);
  };

  return {
    readOperation,
    saveOperation: (operation) => saveOperation(session, statements, operation),
    listOperations: async (siteName, { limit, cursor }) => {
      const params = [siteName, cursor ?? AFTER_ALL_IDS, limit];
      const { pageOperationsOfSite } = statements;
      const pointers = await session.read('listOperations', pageOperationsOfSite, params);
      const last = pointers.at(-1);
      const isFull = pointers.length === limit && last !== undefined;
      return {
        operations: await readAll(pointers),
        cursor: isFull ? requiredText(last, 'operation_id') : null,
      };
    },
    listOpenOperations: async (siteName) => {
      const { readOpenOperations } = statements;
      const pointers = await session.read('listOpenOperations', readOpenOperations, [siteName]);
      return (await readAll(pointers)).filter(({ state }) => !isEnded(state));
    },
  };
}

/** The row and both indexes, or none of them. */
async function saveOperation(
  session: CassandraSession,
  statements: StoreStatements,
  operation: Operation,
): Promise<void> {
  const { operationId, siteName, kind, state } = operation;
  const timestamp = orderOf(operation);
  const body = JSON.stringify(operation);
  await session.batch(
    'saveOperation',
    [
      {
        statement: statements.saveOperation,
        params: [operationId, siteName, kind, state, body, timestamp],
      },
      { statement: statements.saveOperationOfSite, params: [siteName, operationId, timestamp] },
      isEnded(state)
        ? { statement: statements.removeOpenOperation, params: [timestamp, siteName, operationId] }
        : { statement: statements.saveOpenOperation, params: [siteName, operationId, timestamp] },
    ],
    { isLogged: true },
  );
}

/**
 * Write timestamp, in microseconds. Within a millisecond the further progress wins. The end of an
 * operation is a day ahead, so that no writer that was late or has a fast clock revives it.
 */
function orderOf({ updatedAtMs, state, counts, round }: Operation): bigint {
  const ended = counts.confirmed + counts.skipped + counts.failed;
  const progress = Math.min(999, Math.floor((ended / Math.max(1, counts.planned)) * 900) + round);
  const micros = BigInt(Math.trunc(updatedAtMs)) * 1000n + BigInt(Math.max(0, progress));
  return isEnded(state) ? micros + MICROS_A_DAY : micros;
}
