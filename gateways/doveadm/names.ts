/**
 * Commands, parameters and fields of doveadm over HTTP. The `cluster` commands are not described in
 * public: where an installation calls them otherwise, this file is the only one to change. What a Backend
 * knows of them is asked of each (`GET /doveadm/v1`), and only what it knows is sent. What is known of each:
 *
 * - documented: manual pages or the source of Dovecot show it;
 * - inferred: the command is documented for the command line; over HTTP words become one camel-case word;
 * - ours: our cluster service knows it, a vendor's Backend that does not gets by without it.
 */
export const DOVEADM_NAMES = {
  path: '/doveadm/v1', // documented
  batchMove: {
    command: 'clusterUserBatchMove', // inferred from `doveadm cluster user batch move`
    users: 'user', // ours: without it the source chooses the users itself
    target: 'destHost', // inferred
    maxUsers: 'maxUsers', // inferred: `--max-users` is reported, not seen
    /** Seconds. */
    minLastMoved: 'minLastMoved', // inferred from `min-last-moved`; seconds are our reading
    /** Microseconds. */
    moveTimestamp: 'moveTimestamp', // ours
    maxParallel: 'maxParallel', // ours
  },
  // inferred from `doveadm cluster backend update --status online|offline|standby host`
  backendUpdate: { command: 'clusterBackendUpdate', host: 'host', status: 'status' },
  // documented, and tried with Dovecot CE, from here on
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
