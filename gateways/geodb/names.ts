/**
 * Names in the GeoDB. The vendor's public pages leave most of them open: where an installation
 * calls a column or a value otherwise, this file is the only one to change; tables are also named by
 * CASSANDRA_GEODB_TABLES. What is known of each:
 *
 * - documented: the vendor's own configuration or pages show it;
 * - inferred: the thing is documented, its name here is our reading;
 * - ours: the vendor has no such thing that we know of.
 */
const NAMES = {
  // documented, all of it (dict maps of the cluster defaults)
  sites: {
    table: 'sites',
    id: 'id',
    name: 'name',
    tag: 'tag',
    loadBalancer: 'load_balancer',
    status: 'status',
  },
  // Host, site, status and load factor are documented as attributes of a Backend; every name is inferred.
  backends: {
    table: 'backends',
    id: 'id',
    siteId: 'site_id',
    host: 'host',
    status: 'status',
    loadFactor: 'load_factor',
  },
  users: {
    table: 'users', // inferred
    username: 'username', // inferred
    backendId: 'backend_id', // documented for groups, inferred for users
    altBackendId: 'alt_backend_id', // the same
    moving: 'moving', // the same; any text that is not empty
    lastMoved: 'last_moved', // inferred: min-last-moved needs it
  },
  siteReachability: {
    table: 'site_reachability', // documented
    sourceSiteId: 'src_site_id', // documented
    targetSiteId: 'dest_site_id', // documented
    reachable: 'reachable', // documented as a number; that above 0 is yes is inferred
    checkedAt: 'checked_at', // ours
  },
  settings: {
    table: 'cluster_settings', // documented with a broken link, also called `settings`
    scope: 'scope', // inferred, as the next three
    target: 'target',
    name: 'name',
    value: 'value',
  },
  // That force-move state lives in the GeoDB is documented; table and columns are inferred.
  forceMoves: {
    table: 'force_moves',
    scope: 'scope',
    target: 'target',
  },
  // ours
  siteController: {
    table: 'site_controller',
    site: 'site',
    owner: 'owner',
    epoch: 'epoch',
  },
} as const;

export type GeodbNames = {
  readonly [T in keyof typeof NAMES]: { readonly [C in keyof (typeof NAMES)[T]]: string };
};

export const GEODB_NAMES: GeodbNames = NAMES;

/** @param tables names of tables by the names that we give them */
export function namesWithTables(tables: Readonly<Record<string, string>>): GeodbNames {
  const renamed = Object.entries(GEODB_NAMES).map(([noun, names]) => [
    noun,
    { ...names, table: tables[names.table] ?? names.table },
  ]);
  return Object.fromEntries(renamed) as GeodbNames;
}

/** A row of the settings table that is no feature flag: whether new users may get a home there. */
export const ACCEPT_NEW_USERS = { name: 'accept_new_users', refusing: 'no' } as const;

/** How flag states are written; reading accepts every documented spelling. */
export const WRITTEN_FEATURE_STATES = {
  enabled: 'enabled',
  disabled: 'disabled',
  dryRun: 'dryRun',
} as const;
