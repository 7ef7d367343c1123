/**
 * Names in the GeoDB. The vendor's public pages leave most of them open: where an installation
 * calls a table, a column or a value otherwise, this file is the only one to change.
 */
export const GEODB_NAMES = {
  sites: {
    table: 'sites',
    id: 'id',
    name: 'name',
    tag: 'tag',
    loadBalancer: 'load_balancer',
    status: 'status',
  },
  backends: {
    table: 'backends',
    id: 'id',
    siteId: 'site_id',
    host: 'host',
    status: 'status',
    loadFactor: 'load_factor',
  },
  users: {
    table: 'users',
    username: 'username',
    backendId: 'backend_id',
    altBackendId: 'alt_backend_id',
    moving: 'moving',
    lastMoved: 'last_moved',
  },
  siteReachability: {
    table: 'site_reachability',
    sourceSiteId: 'src_site_id',
    targetSiteId: 'dest_site_id',
    reachable: 'reachable',
    checkedAt: 'checked_at',
  },
  settings: {
    table: 'cluster_settings',
    scope: 'scope',
    target: 'target',
    name: 'name',
    value: 'value',
  },
  forceMoves: {
    table: 'force_moves',
    scope: 'scope',
    target: 'target',
  },
  siteController: {
    table: 'site_controller',
    site: 'site',
    owner: 'owner',
    epoch: 'epoch',
  },
} as const;

export type GeodbNames = typeof GEODB_NAMES;

/** A row of the settings table that is no feature flag: whether new users may get a home there. */
export const ACCEPT_NEW_USERS = { name: 'accept_new_users', refusing: 'no' } as const;

/** How flag states are written; reading accepts every documented spelling. */
export const WRITTEN_FEATURE_STATES = {
  enabled: 'enabled',
  disabled: 'disabled',
  dryRun: 'dryRun',
} as const;
