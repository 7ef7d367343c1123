/** Every CQL text of our own keyspace, apart from its schema. */
import type { Statement } from '../cassandra-session.ts';

const DAY_SECS = 86_400;
/** What grows is forgotten after 90 days; snapshots from which nothing followed after 7. */
export const KEPT_SECS = 90 * DAY_SECS;
export const BRIEFLY_KEPT_SECS = 7 * DAY_SECS;

const LEDGER_COLUMNS =
  'operation_id, chunk, username, source_id, target_id, state, reason, attempts, ' +
  'move_timestamp, is_forced, sent_at_ms, ended_at_ms';

const LOCAL = { keyspace: 'system', table: 'local' };

type On = (table: string, cql: string) => Statement;

export type StoreStatements = ReturnType<typeof createStoreStatements>;

/** In the texts `{ks}` stands for the keyspace. */
export function createStoreStatements(keyspace: string) {
  const on: On = (table, cql) => ({ keyspace, table, cql: cql.replaceAll('{ks}', keyspace) });
  return {
    ping: { ...LOCAL, cql: 'SELECT release_version FROM system.local' } satisfies Statement,
    ...decisionStatements(on),
    ...operationStatements(on),
    ...ledgerStatements(on),
    ...inFlightStatements(on),
    ...selectionStatements(on),
    ...switchStatements(on),
    ...auditStatements(on),
  };
}

function decisionStatements(on: On) {
  return {
    saveSnapshot: on(
      'snapshots',
      `INSERT INTO {ks}.snapshots (snapshot_id, body) VALUES (?, ?) USING TTL ? AND TIMESTAMP ?`,
    ),
    readSnapshot: on('snapshots', `SELECT body FROM {ks}.snapshots WHERE snapshot_id = ?`),
    saveDecision: on(
      'decisions',
      `INSERT INTO {ks}.decisions (site, day, decision_id, body) VALUES (?, ?, ?, ?)
         USING TTL ${KEPT_SECS} AND TIMESTAMP ?`,
    ),
    readDecision: on(
      'decisions',
      `SELECT body FROM {ks}.decisions WHERE site = ? AND day = ? AND decision_id = ?`,
    ),
    pageDecisions: on(
      'decisions',
      `SELECT decision_id, body FROM {ks}.decisions
         WHERE site = ? AND day = ? AND decision_id < ? LIMIT ?`,
    ),
    saveSubject: on(
      'decisions_by_subject',
      `INSERT INTO {ks}.decisions_by_subject (site, subject, day, decision_id)
         VALUES (?, ?, ?, ?) USING TTL ${KEPT_SECS}`,
    ),
    pageSubject: on(
      'decisions_by_subject',
      `SELECT decision_id FROM {ks}.decisions_by_subject
         WHERE site = ? AND subject = ? AND day = ? AND decision_id < ? LIMIT ?`,
    ),
    saveDecisionDay: on(
      'decision_days',
      `INSERT INTO {ks}.decision_days (site, day) VALUES (?, ?) USING TTL ${KEPT_SECS}`,
    ),
    readDecisionDays: on(
      'decision_days',
      `SELECT day FROM {ks}.decision_days WHERE site = ? AND day <= ?`,
    ),
    saveLastNothings: on(
      'last_nothings',
      `INSERT INTO {ks}.last_nothings (site, task, body) VALUES (?, ?, ?) USING TTL ${KEPT_SECS}`,
    ),
    readLastNothings: on(
      'last_nothings',
      `SELECT body FROM {ks}.last_nothings WHERE site = ? AND task = ?`,
    ),
  };
}

function operationStatements(on: On) {
  return {
    saveOperation: on(
      'operations',
      `INSERT INTO {ks}.operations (operation_id, site, kind, state, body)
         VALUES (?, ?, ?, ?, ?) USING TTL ${KEPT_SECS} AND TIMESTAMP ?`,
    ),
    readOperation: on('operations', `SELECT body FROM {ks}.operations WHERE operation_id = ?`),
    saveOperationOfSite: on(
      'operations_by_site',
      `INSERT INTO {ks}.operations_by_site (site, operation_id) VALUES (?, ?)
         USING TTL ${KEPT_SECS} AND TIMESTAMP ?`,
    ),
    pageOperationsOfSite: on(
      'operations_by_site',
      `SELECT operation_id FROM {ks}.operations_by_site
         WHERE site = ? AND operation_id < ? LIMIT ?`,
    ),
    saveOpenOperation: on(
      'open_operations',
      `INSERT INTO {ks}.open_operations (site, operation_id) VALUES (?, ?)
         USING TTL ${KEPT_SECS} AND TIMESTAMP ?`,
    ),
    removeOpenOperation: on(
      'open_operations',
      `DELETE FROM {ks}.open_operations USING TIMESTAMP ? WHERE site = ? AND operation_id = ?`,
    ),
    readOpenOperations: on(
      'open_operations',
      `SELECT operation_id FROM {ks}.open_operations WHERE site = ?`,
    ),
  };
}

function ledgerStatements(on: On) {
  return {
    saveLedgerRow: on(
      'move_ledger',
      `INSERT INTO {ks}.move_ledger (${LEDGER_COLUMNS})
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ${KEPT_SECS} AND TIMESTAMP ?`,
    ),
    readLedgerChunk: on(
      'move_ledger',
      `SELECT ${LEDGER_COLUMNS} FROM {ks}.move_ledger WHERE operation_id = ? AND chunk = ?`,
    ),
    readLedgerRow: on(
      'move_ledger',
      `SELECT ${LEDGER_COLUMNS} FROM {ks}.move_ledger
         WHERE operation_id = ? AND chunk = ? AND username = ?`,
    ),
    pageLedgerChunk: on(
      'move_ledger',
      `SELECT ${LEDGER_COLUMNS} FROM {ks}.move_ledger
         WHERE operation_id = ? AND chunk = ? AND username > ?`,
    ),
    saveLedgerChunk: on(
      'ledger_chunks',
      `INSERT INTO {ks}.ledger_chunks (operation_id, chunk) VALUES (?, ?) USING TTL ${KEPT_SECS}`,
    ),
    readLedgerChunks: on(
      'ledger_chunks',
      `SELECT chunk FROM {ks}.ledger_chunks WHERE operation_id = ? AND chunk >= ?`,
    ),
    saveMoveOfUser: on(
      'user_moves',
      `INSERT INTO {ks}.user_moves (username, operation_id, chunk) VALUES (?, ?, ?)
         USING TTL ${KEPT_SECS}`,
    ),
    readMovesOfUser: on(
      'user_moves',
      `SELECT operation_id, chunk FROM {ks}.user_moves WHERE username = ? LIMIT ?`,
    ),
  };
}

function inFlightStatements(on: On) {
  return {
    saveChunkInFlight: on(
      'moves_in_flight',
      `INSERT INTO {ks}.moves_in_flight
         (site, source_id, operation_id, chunk, target_id, remaining, attempts, sent_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL ${KEPT_SECS}`,
    ),
    removeChunkInFlight: on(
      'moves_in_flight',
      `DELETE FROM {ks}.moves_in_flight
         WHERE site = ? AND source_id = ? AND operation_id = ? AND chunk = ?`,
    ),
    readChunksInFlight: on(
      'moves_in_flight',
      `SELECT source_id, operation_id, chunk, target_id, remaining, attempts, sent_at_ms
         FROM {ks}.moves_in_flight WHERE site = ?`,
    ),
    readChunksBefore: on(
      'moves_in_flight',
      `SELECT source_id, operation_id, chunk, target_id, remaining, attempts, sent_at_ms
         FROM {ks}.moves_in_flight WHERE site = ? AND source_id < ?`,
    ),
    readChunksAfter: on(
      'moves_in_flight',
      `SELECT source_id, operation_id, chunk, target_id, remaining, attempts, sent_at_ms
         FROM {ks}.moves_in_flight WHERE site = ? AND source_id > ?`,
    ),
  };
}

function selectionStatements(on: On) {
  return {
    saveSelectedUser: on(
      'selected_users',
      `INSERT INTO {ks}.selected_users (selection_id, username, target_id) VALUES (?, ?, ?)
         USING TTL ${BRIEFLY_KEPT_SECS}`,
    ),
    readSelectedUsers: on(
      'selected_users',
      `SELECT username, target_id FROM {ks}.selected_users WHERE selection_id = ?`,
    ),
    saveHomesBefore: on(
      'homes_before',
      `INSERT INTO {ks}.homes_before (operation_id, chunk, page, body) VALUES (?, ?, ?, ?)
         USING TTL ${BRIEFLY_KEPT_SECS}`,
    ),
    readHomesBefore: on(
      'homes_before',
      `SELECT page, body FROM {ks}.homes_before WHERE operation_id = ? AND chunk = ?`,
    ),
    saveForeignMove: on(
      'foreign_moves',
      `INSERT INTO {ks}.foreign_moves (site, source_id, username, target_id, first_seen_at_ms)
         VALUES (?, ?, ?, ?, ?) USING TTL ${KEPT_SECS}`,
    ),
    removeForeignMove: on(
      'foreign_moves',
      `DELETE FROM {ks}.foreign_moves WHERE site = ? AND source_id = ? AND username = ?`,
    ),
    readForeignMoves: on(
      'foreign_moves',
      `SELECT source_id, username, target_id, first_seen_at_ms FROM {ks}.foreign_moves
         WHERE site = ?`,
    ),
    saveForeignMoveScan: on(
      'foreign_move_scans',
      `INSERT INTO {ks}.foreign_move_scans (site, body) VALUES (?, ?)`,
    ),
    readForeignMoveScan: on(
      'foreign_move_scans',
      `SELECT body FROM {ks}.foreign_move_scans WHERE site = ?`,
    ),
  };
}

function switchStatements(on: On) {
  return {
    readBackendMemories: on('backend_memory', `SELECT * FROM {ks}.backend_memory WHERE site = ?`),
    readResting: on('resting_backends', `SELECT * FROM {ks}.resting_backends WHERE site = ?`),
    saveResting: on(
      'resting_backends',
      `INSERT INTO {ks}.resting_backends (site, backend_id, until_ms) VALUES (?, ?, ?) USING TTL ?`,
    ),
    readReachability: on(
      'backend_reachability',
      `SELECT body FROM {ks}.backend_reachability WHERE site = ?`,
    ),
    saveReachability: on(
      'backend_reachability',
      `INSERT INTO {ks}.backend_reachability (site, body) VALUES (?, ?)`,
    ),
    readAutomation: on('automation', `SELECT body FROM {ks}.automation WHERE site = ?`),
    saveAutomation: on('automation', `INSERT INTO {ks}.automation (site, body) VALUES (?, ?)`),
    readFeatureOverrides: on('feature_overrides', `SELECT body FROM {ks}.feature_overrides`),
    saveFeatureOverride: on(
      'feature_overrides',
      `INSERT INTO {ks}.feature_overrides (level, target_id, feature, body) VALUES (?, ?, ?, ?)`,
    ),
    readTaskRuns: on('task_runs', `SELECT body FROM {ks}.task_runs WHERE site = ?`),
    saveTaskRun: on('task_runs', `INSERT INTO {ks}.task_runs (site, task, body) VALUES (?, ?, ?)`),
    /** Columns are names of ours, never input. */
    removeBackendMemory: on(
      'backend_memory',
      'DELETE FROM {ks}.backend_memory WHERE site = ? AND backend_id = ?',
    ),
    updateBackendMemory: (columns: readonly string[]): Statement =>
      on(
        'backend_memory',
        `UPDATE {ks}.backend_memory SET ${columns.map((column) => `${column} = ?`).join(', ')}
           WHERE site = ? AND backend_id = ?`,
      ),
  };
}

function auditStatements(on: On) {
  return {
    readAuditHead: on(
      'audit',
      `SELECT seq, hash FROM {ks}.audit WHERE site = ? AND day = ? LIMIT 1`,
    ),
    appendAudit: on(
      'audit',
      `INSERT INTO {ks}.audit (site, day, seq, at_ms, body, previous_hash, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ${KEPT_SECS}`,
    ),
    pageAudit: on(
      'audit',
      `SELECT seq, at_ms, body, previous_hash, hash FROM {ks}.audit
         WHERE site = ? AND day = ? AND seq <= ? LIMIT ?`,
    ),
    saveAuditDay: on(
      'audit_days',
      `INSERT INTO {ks}.audit_days (site, day, seq, hash) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`,
    ),
    readAuditDays: on(
      'audit_days',
      `SELECT day, seq, hash FROM {ks}.audit_days WHERE site = ? AND day <= ?`,
    ),
  };
}
