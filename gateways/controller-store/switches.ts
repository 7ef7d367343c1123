/** Memory of Backends, the automation switch, overrides of flags, runs of tasks. */
import type { BackendMemory, HealthVerdict } from '../../workflows/domain/cluster-snapshot.ts';
import type { CassandraSession, Row, WriteMany } from '../cassandra-session.ts';
import { numberOf, requiredText, textOf, toBigint } from '../cassandra-values.ts';
import type {
  AutomationSwitch,
  ControllerStore,
  FeatureOverride,
  TaskRun,
} from './controller-store.ts';
import type { StoreStatements } from './statements.ts';

type SwitchMethods = Pick<
  ControllerStore,
  | 'readBackendMemories'
  | 'updateBackendMemory'
  | 'updateBackendMemories'
  | 'removeBackendMemory'
  | 'noteUsersRest'
  | 'readAutomation'
  | 'saveAutomation'
  | 'readFeatureOverrides'
  | 'saveFeatureOverride'
  | 'readTaskRuns'
  | 'saveTaskRun'
>;

/** Each row is some 200 bytes; Cassandra warns of batches of 5 kB and refuses those of 50. */
const ROWS_A_BATCH = 25;

export function switchMethods(
  session: CassandraSession,
  statements: StoreStatements,
): SwitchMethods {
  return {
    ...memoryMethods(session, statements),
    readAutomation: async (siteName) => {
      const row = await session.readOne('readAutomation', statements.readAutomation, [siteName]);
      return row === null ? null : parseBody<AutomationSwitch>(row);
    },
    saveAutomation: async (automation) => {
      const params = [automation.siteName, JSON.stringify(automation)];
      await session.write('saveAutomation', statements.saveAutomation, params);
    },
    readFeatureOverrides: async () => {
      const { readFeatureOverrides } = statements;
      const rows = await session.read('readFeatureOverrides', readFeatureOverrides, []);
      return rows.map((row) => parseBody<FeatureOverride>(row));
    },
    saveFeatureOverride: async (override) => {
      const { level, targetId, feature } = override;
      const params = [level, targetId, feature, JSON.stringify(override)];
      await session.write('saveFeatureOverride', statements.saveFeatureOverride, params);
    },
    readTaskRuns: async (siteName) => {
      const rows = await session.read('readTaskRuns', statements.readTaskRuns, [siteName]);
      return rows.map((row) => toTaskRun(parseBody<StoredTaskRun>(row)));
    },
    saveTaskRun: async (run) => {
      const params = [run.siteName, run.task, JSON.stringify(run)];
      await session.write('saveTaskRun', statements.saveTaskRun, params);
    },
  };
}

type MemoryMethods = Pick<
  SwitchMethods,
  | 'updateBackendMemory'
  | 'updateBackendMemories'
  | 'readBackendMemories'
  | 'removeBackendMemory'
  | 'noteUsersRest'
>;

/** What automation remembers of each Backend. */
function memoryMethods(session: CassandraSession, statements: StoreStatements): MemoryMethods {
  const toWrite = (
    siteName: string,
    memory: Parameters<MemoryMethods['updateBackendMemory']>[1],
  ): WriteMany | null => {
    const changes = toColumns(memory);
    if (changes.length === 0) return null;
    const statement = statements.updateBackendMemory(changes.map(([column]) => column));
    const params = [...changes.map(([, value]) => value), siteName, memory.backendId];
    return { statement, params };
  };
  return {
    updateBackendMemory: async (siteName, memory) => {
      const write = toWrite(siteName, memory);
      if (write !== null) await session.writeMany('updateBackendMemory', [write]);
    },
    updateBackendMemories: async (siteName, memories) => {
      const writes = memories
        .map((memory) => toWrite(siteName, memory))
        .filter((write) => write !== null);
      // All of a site is one partition: a batch is one write there.
      for (let at = 0; at < writes.length; at += ROWS_A_BATCH) {
        const batch = writes.slice(at, at + ROWS_A_BATCH);
        await session.batch('updateBackendMemories', batch, { isLogged: false });
      }
    },
    readBackendMemories: async (siteName) => {
      const { readBackendMemories, readResting } = statements;
      const [rows, resting] = await Promise.all([
        session.read('readBackendMemories', readBackendMemories, [siteName]),
        session.read('readBackendMemories', readResting, [siteName]),
      ]);
      const restUntilMs = new Map(
        resting.map((row) => [requiredText(row, 'backend_id'), numberOf(row, 'until_ms')]),
      );
      return rows.map(toMemory).map((memory) => {
        const usersRestUntilMs = restUntilMs.get(memory.backendId);
        return usersRestUntilMs == null ? memory : { ...memory, usersRestUntilMs };
      });
    },
    noteUsersRest: async (siteName, backendId, untilMs) => {
      const secs = Math.ceil((untilMs - Date.now()) / 1000);
      if (secs <= 0) return;
      const params = [siteName, backendId, toBigint(untilMs), secs];
      await session.write('noteUsersRest', statements.saveResting, params);
    },
    removeBackendMemory: async (siteName, backendId) => {
      const params = [siteName, backendId];
      await session.write('removeBackendMemory', statements.removeBackendMemory, params);
    },
  };
}

/** Rows of the first versions did not say since when a task fails. */
type StoredTaskRun = Omit<TaskRun, 'failingSinceMs'> & Partial<TaskRun>;

function toTaskRun(stored: StoredTaskRun): TaskRun {
  return { ...stored, failingSinceMs: stored.failingSinceMs ?? null };
}

function parseBody<T>(row: Row): T {
  return JSON.parse(requiredText(row, 'body')) as T;
}

/** Column and value of each field that was given, in the order of the table: few distinct texts. */
function toColumns(memory: Partial<BackendMemory>): [string, unknown][] {
  const all: [string, unknown][] = [
    ['verdict', memory.verdict],
    ['verdict_since_ms', asBigint(memory.verdictSinceMs)],
    ['judged_at_ms', asBigint(memory.judgedAtMs)],
    ['last_partial_move_at_ms', asBigint(memory.lastPartialMoveAtMs)],
    ['last_balanced_at_ms', asBigint(memory.lastBalancedAtMs)],
    ['offline_written_at', asBigint(memory.offlineWrittenAtMicros)],
    ['offline_since_ms', asBigint(memory.offlineSinceMs)],
    [
      'returned_at_ms',
      memory.returnedAtMs === undefined ? undefined : JSON.stringify(memory.returnedAtMs),
    ],
    ['operator_hold_until_ms', asBigint(memory.operatorHoldUntilMs)],
  ];
  return all.filter(([, value]) => value !== undefined);
}

function asBigint(value: number | null | undefined): bigint | null | undefined {
  return value === undefined ? undefined : toBigint(value);
}

function toMemory(row: Row): BackendMemory {
  return {
    backendId: requiredText(row, 'backend_id'),
    verdict: (textOf(row, 'verdict') ?? 'unknown') as HealthVerdict,
    verdictSinceMs: numberOf(row, 'verdict_since_ms') ?? 0,
    judgedAtMs: numberOf(row, 'judged_at_ms'),
    lastPartialMoveAtMs: numberOf(row, 'last_partial_move_at_ms'),
    lastBalancedAtMs: numberOf(row, 'last_balanced_at_ms'),
    offlineWrittenAtMicros: numberOf(row, 'offline_written_at'),
    offlineSinceMs: numberOf(row, 'offline_since_ms'),
    returnedAtMs: JSON.parse(textOf(row, 'returned_at_ms') ?? '[]') as number[],
    operatorHoldUntilMs: numberOf(row, 'operator_hold_until_ms'),
  };
}
