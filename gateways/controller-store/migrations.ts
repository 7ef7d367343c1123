/**
 * The schema of our own keyspace, as numbered steps that only add. A step that was released is
 * never changed: the next one changes what it made.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** `{ks}` stands for the keyspace. Each must be repeatable: IF NOT EXISTS. */
  readonly cql: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'decisions and their snapshots',
    cql: [
      `CREATE TABLE IF NOT EXISTS {ks}.snapshots (snapshot_id text PRIMARY KEY, body blob)`,
      `CREATE TABLE IF NOT EXISTS {ks}.decisions (site text, day text, decision_id text, body text,
         PRIMARY KEY ((site, day), decision_id)) WITH CLUSTERING ORDER BY (decision_id DESC)`,
      // subject: task:<name> or host:<name>
      `CREATE TABLE IF NOT EXISTS {ks}.decisions_by_subject
         (site text, subject text, day text, decision_id text,
         PRIMARY KEY ((site, subject, day), decision_id))
         WITH CLUSTERING ORDER BY (decision_id DESC)`,
      `CREATE TABLE IF NOT EXISTS {ks}.decision_days (site text, day text,
         PRIMARY KEY ((site), day)) WITH CLUSTERING ORDER BY (day DESC)`,
      `CREATE TABLE IF NOT EXISTS {ks}.last_nothings (site text, task text, body text,
         PRIMARY KEY ((site), task))`,
    ],
  },
  {
    version: 2,
    name: 'operations and the ledger of moves',
    cql: [
      `CREATE TABLE IF NOT EXISTS {ks}.operations
         (operation_id text PRIMARY KEY, site text, kind text, state text, body text)`,
      `CREATE TABLE IF NOT EXISTS {ks}.operations_by_site (site text, operation_id text,
         PRIMARY KEY ((site), operation_id)) WITH CLUSTERING ORDER BY (operation_id DESC)`,
      `CREATE TABLE IF NOT EXISTS {ks}.open_operations (site text, operation_id text,
         PRIMARY KEY ((site), operation_id)) WITH gc_grace_seconds = 86400`,
      `CREATE TABLE IF NOT EXISTS {ks}.move_ledger
         (operation_id text, chunk int, username text, source_id text, target_id text, state text,
         reason text, attempts int, move_timestamp bigint, is_forced int, sent_at_ms bigint,
         ended_at_ms bigint, PRIMARY KEY ((operation_id, chunk), username))`,
      `CREATE TABLE IF NOT EXISTS {ks}.ledger_chunks (operation_id text, chunk int,
         PRIMARY KEY ((operation_id), chunk))`,
      `CREATE TABLE IF NOT EXISTS {ks}.user_moves (username text, operation_id text, chunk int,
         PRIMARY KEY ((username), operation_id)) WITH CLUSTERING ORDER BY (operation_id DESC)`,
      `CREATE TABLE IF NOT EXISTS {ks}.moves_in_flight
         (site text, source_id text, operation_id text, chunk int, target_id text, remaining int,
         attempts int, sent_at_ms bigint, PRIMARY KEY ((site), source_id, operation_id, chunk))
         WITH gc_grace_seconds = 86400`,
    ],
  },
  {
    version: 3,
    name: 'memory of Backends, switches, task runs',
    cql: [
      `CREATE TABLE IF NOT EXISTS {ks}.backend_memory
         (site text, backend_id text, verdict text, verdict_since_ms bigint, judged_at_ms bigint,
         last_partial_move_at_ms bigint, last_balanced_at_ms bigint, offline_written_at bigint,
         offline_since_ms bigint, returned_at_ms text, operator_hold_until_ms bigint,
         PRIMARY KEY ((site), backend_id))`,
      `CREATE TABLE IF NOT EXISTS {ks}.automation (site text PRIMARY KEY, body text)`,
      `CREATE TABLE IF NOT EXISTS {ks}.feature_overrides
         (level text, target_id text, feature text, body text,
         PRIMARY KEY ((level), target_id, feature))`,
      `CREATE TABLE IF NOT EXISTS {ks}.task_runs (site text, task text, body text,
         PRIMARY KEY ((site), task))`,
    ],
  },
  {
    version: 4,
    name: 'audit and accounts',
    cql: [
      `CREATE TABLE IF NOT EXISTS {ks}.audit
         (site text, day text, seq int, at_ms bigint, body text, previous_hash text, hash text,
         PRIMARY KEY ((site, day), seq)) WITH CLUSTERING ORDER BY (seq DESC)`,
      // The checkpoints: they stay when the entries of a day have expired.
      `CREATE TABLE IF NOT EXISTS {ks}.audit_days (site text, day text, seq int, hash text,
         PRIMARY KEY ((site), day)) WITH CLUSTERING ORDER BY (day DESC)`,
      `CREATE TABLE IF NOT EXISTS {ks}.sign_in_links
         (secret_hash text PRIMARY KEY, role text, created_by text, expires_at_ms bigint)`,
      `CREATE TABLE IF NOT EXISTS {ks}.sessions
         (secret_hash text PRIMARY KEY, role text, name text, created_at_ms bigint,
         expires_at_ms bigint)`,
      `CREATE TABLE IF NOT EXISTS {ks}.tokens (token_id text PRIMARY KEY, secret_hash text, body text)`,
      `CREATE TABLE IF NOT EXISTS {ks}.tokens_by_hash (secret_hash text PRIMARY KEY, token_id text)`,
      `CREATE TABLE IF NOT EXISTS {ks}.idempotency_keys
         (actor text, key text, request_hash text, status int, body text,
         PRIMARY KEY ((actor, key)))`,
    ],
  },
  {
    version: 5,
    name: 'users by name: lists to be moved, homes before a move by count, moves that others left',
    cql: [
      `CREATE TABLE IF NOT EXISTS {ks}.selected_users
         (selection_id text, username text, target_id text,
         PRIMARY KEY ((selection_id), username))`,
      `CREATE TABLE IF NOT EXISTS {ks}.homes_before
         (operation_id text, chunk int, page int, body text,
         PRIMARY KEY ((operation_id, chunk), page))`,
      `CREATE TABLE IF NOT EXISTS {ks}.foreign_moves
         (site text, source_id text, username text, target_id text, first_seen_at_ms bigint,
         PRIMARY KEY ((site), source_id, username)) WITH gc_grace_seconds = 86400`,
      `CREATE TABLE IF NOT EXISTS {ks}.foreign_move_scans (site text PRIMARY KEY, body text)`,
    ],
  },
  {
    version: 6,
    name: 'reachability of Backends',
    cql: [
      // One row a site: it is read and written as a whole, every few seconds.
      `CREATE TABLE IF NOT EXISTS {ks}.backend_reachability (site text PRIMARY KEY, body text)`,
    ],
  },
  {
    version: 7,
    name: 'Backends whose users were all moved lately',
    cql: [
      // Not a column of backend_memory: before release 4.1 Cassandra cannot add one repeatably.
      `CREATE TABLE IF NOT EXISTS {ks}.resting_backends (site text, backend_id text, until_ms bigint,
         PRIMARY KEY ((site), backend_id))`,
    ],
  },
];
