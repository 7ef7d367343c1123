/** Every CQL text of the GeoDB. Answers come under fixed aliases, whatever the columns are called. */
import type { Statement } from '../cassandra-session.ts';
import { GEODB_NAMES } from './names.ts';
import type { GeodbNames } from './names.ts';

/** Murmur3 gives no row this token: every row is above it. */
export const LOWEST_TOKEN = -(2n ** 63n);
export const HIGHEST_TOKEN = 2n ** 63n - 1n;

export type GeodbStatements = ReturnType<typeof createStatements>;

export function createStatements(keyspace: string, names: GeodbNames = GEODB_NAMES) {
  return {
    ...userStatements(keyspace, names),
    ...clusterStatements(keyspace, names),
    ...settingStatements(keyspace, names),
    ...referenceStatements(keyspace, names),
    ...ownerStatements(keyspace, names),
    ...schemaStatements(),
  };
}

function userStatements(keyspace: string, { users: u }: GeodbNames) {
  const from = `${keyspace}.${u.table}`;
  const on = (cql: string): Statement => ({ cql, keyspace, table: u.table });
  const home =
    `${u.username} AS username, ${u.backendId} AS backend_id, ${u.altBackendId} AS alt_backend_id, ` +
    `${u.moving} AS moving, ${u.lastMoved} AS last_moved`;
  const written = `WRITETIME(${u.backendId}) AS home_written_at`;
  const token = `token(${u.username})`;
  return {
    readUser: on(`SELECT ${home}, ${written} FROM ${from} WHERE ${u.username} = ?`),
    readUsers: on(`SELECT ${home}, ${written} FROM ${from} WHERE ${u.username} IN ?`),
    /** With an index on the home: in token order, so that a page resumes by the last token. */
    pageUsersByHome: on(
      `SELECT ${home}, ${token} AS user_token FROM ${from} ` +
        `WHERE ${u.backendId} = ? AND ${token} > ? LIMIT ?`,
    ),
    /** Without one: everybody in token order. */
    pageUsersByToken: on(
      `SELECT ${home}, ${token} AS user_token FROM ${from} WHERE ${token} > ? LIMIT ?`,
    ),
    homesByHome: on(`SELECT ${u.backendId} FROM ${from} WHERE ${u.backendId} = ?`),
    scanHomes: on(
      `SELECT ${u.backendId} AS backend_id FROM ${from} WHERE ${token} > ? AND ${token} <= ?`,
    ),
    /** Text has no range in an index: the server looks at every row, and answers few. */
    scanMoving: on(
      `SELECT ${home}, ${written} FROM ${from} ` +
        `WHERE ${token} > ? AND ${token} <= ? AND ${u.moving} > '' LIMIT ? ALLOW FILTERING`,
    ),
    forceHome: on(
      `UPDATE ${from} USING TIMESTAMP ? ` +
        `SET ${u.backendId} = ?, ${u.altBackendId} = ?, ${u.moving} = null, ${u.lastMoved} = ? ` +
        `WHERE ${u.username} = ?`,
    ),
    clearMove: on(
      `UPDATE ${from} USING TIMESTAMP ? SET ${u.moving} = null WHERE ${u.username} = ?`,
    ),
  };
}

function clusterStatements(keyspace: string, names: GeodbNames) {
  const { sites: s, backends: b, siteReachability: r } = names;
  const on = (table: string, cql: string): Statement => ({ cql, keyspace, table });
  const backend =
    `SELECT ${b.id} AS id, ${b.siteId} AS site_id, ${b.host} AS host, ${b.status} AS status, ` +
    `${b.loadFactor} AS load_factor, WRITETIME(${b.status}) AS status_written_at ` +
    `FROM ${keyspace}.${b.table}`;
  return {
    readSites: on(
      s.table,
      `SELECT ${s.id} AS id, ${s.name} AS name, ${s.tag} AS tag, ` +
        `${s.loadBalancer} AS load_balancer, ${s.status} AS status FROM ${keyspace}.${s.table}`,
    ),
    readBackends: on(b.table, backend),
    readBackend: on(b.table, `${backend} WHERE ${b.id} = ?`),
    changeStatus: on(
      b.table,
      `UPDATE ${keyspace}.${b.table} SET ${b.status} = ? WHERE ${b.id} = ? IF ${b.status} = ?`,
    ),
    readSiteReachability: on(
      r.table,
      `SELECT ${r.sourceSiteId} AS source_site_id, ${r.targetSiteId} AS target_site_id, ` +
        `${r.reachable} AS reachable, ${r.checkedAt} AS checked_at FROM ${keyspace}.${r.table}`,
    ),
  };
}

function settingStatements(keyspace: string, { settings: s }: GeodbNames) {
  const from = `${keyspace}.${s.table}`;
  const on = (cql: string): Statement => ({ cql, keyspace, table: s.table });
  return {
    readSettings: on(
      `SELECT ${s.scope} AS scope, ${s.target} AS target, ${s.name} AS name, ` +
        `${s.value} AS value FROM ${from}`,
    ),
    writeSetting: on(
      `INSERT INTO ${from} (${s.scope}, ${s.target}, ${s.name}, ${s.value}) VALUES (?, ?, ?, ?)`,
    ),
    removeSetting: on(
      `DELETE FROM ${from} WHERE ${s.scope} = ? AND ${s.target} = ? AND ${s.name} = ?`,
    ),
  };
}

function referenceStatements(keyspace: string, names: GeodbNames) {
  const { settings: s, forceMoves: f, siteReachability: r } = names;
  const on = (table: string, cql: string): Statement => ({ cql, keyspace, table });
  const targets = (table: string, scope: string, target: string): Statement =>
    on(table, `SELECT DISTINCT ${scope}, ${target} FROM ${keyspace}.${table}`);
  return {
    readSettingTargets: targets(s.table, s.scope, s.target),
    readForceMoveTargets: targets(f.table, f.scope, f.target),
    removeSettingTarget: on(
      s.table,
      `DELETE FROM ${keyspace}.${s.table} WHERE ${s.scope} = ? AND ${s.target} = ?`,
    ),
    removeForceMove: on(
      f.table,
      `DELETE FROM ${keyspace}.${f.table} WHERE ${f.scope} = ? AND ${f.target} = ?`,
    ),
    removeReachability: on(
      r.table,
      `DELETE FROM ${keyspace}.${r.table} WHERE ${r.sourceSiteId} = ? AND ${r.targetSiteId} = ?`,
    ),
  };
}

function ownerStatements(keyspace: string, { siteController: c }: GeodbNames) {
  const from = `${keyspace}.${c.table}`;
  const on = (cql: string): Statement => ({ cql, keyspace, table: c.table });
  return {
    readOwner: on(
      `SELECT ${c.owner} AS owner, ${c.epoch} AS epoch FROM ${from} WHERE ${c.site} = ?`,
    ),
    claimFirst: on(
      `INSERT INTO ${from} (${c.site}, ${c.owner}, ${c.epoch}) VALUES (?, ?, ?) IF NOT EXISTS`,
    ),
    claimNext: on(
      `UPDATE ${from} SET ${c.owner} = ?, ${c.epoch} = ? WHERE ${c.site} = ? IF ${c.epoch} = ?`,
    ),
  };
}

function schemaStatements() {
  const on = (table: string, cql: string): Statement => ({ cql, keyspace: 'system_schema', table });
  return {
    readIndexes: on(
      'indexes',
      'SELECT index_name, options FROM system_schema.indexes WHERE keyspace_name = ? AND table_name = ?',
    ),
    ping: {
      cql: 'SELECT release_version FROM system.local',
      keyspace: 'system',
      table: 'local',
    } satisfies Statement,
  };
}
