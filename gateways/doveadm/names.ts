/**
 * Commands, parameters and fields of doveadm over HTTP. The `cluster` commands are not described in
 * public: where an installation calls them otherwise, this file is the only one to change.
 */
export const DOVEADM_NAMES = {
  path: '/doveadm/v1',
  batchMove: {
    command: 'clusterUserBatchMove',
    users: 'user',
    target: 'destHost',
    maxUsers: 'maxUsers',
    /** Seconds. */
    minLastMoved: 'minLastMoved',
    /** Microseconds. */
    moveTimestamp: 'moveTimestamp',
    maxParallel: 'maxParallel',
  },
  backendUpdate: { command: 'clusterBackendUpdate', host: 'host', status: 'status' },
  kick: { command: 'kick', users: 'mask' },
  who: { command: 'who', separateConnections: 'separateConnections', username: 'username' },
  proxyList: { command: 'proxyList', username: 'username', targetAddress: 'dest-ip' },
  proxyKick: { command: 'proxyKick', users: 'user' },
} as const;

/** Exit codes of doveadm commands (sysexits). */
export const EXIT_CODES = {
  usage: 64,
  noUser: 67,
  /** Host unknown; of `kick`: nobody to kick. */
  notFound: 68,
  noPermission: 77,
  badConfiguration: 78,
} as const;
