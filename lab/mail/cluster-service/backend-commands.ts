/** `cluster backend update|status|list`, `cluster site list|reachability list`. */
import type { BackendContext } from './backend-context.ts';
import {
  CommandError,
  EXIT_NO_HOST,
  EXIT_USAGE,
  type ClusterCommand,
  type Parameters,
} from './cluster-command.ts';
import type { BackendRow } from './geodb.ts';

const STATUSES = ['online', 'offline', 'standby'];

export const backendCommands: readonly ClusterCommand[] = [
  {
    name: 'clusterBackendUpdate',
    parameters: { host: 'string', status: 'string', loadFactor: 'integer' },
    required: ['host'],
    run: updateBackend,
  },
  {
    name: 'clusterBackendStatus',
    parameters: { host: 'string' },
    required: ['host'],
    async run({ host }, context) {
      return [toRow(await findBackend(String(host), context), context)];
    },
  },
  {
    name: 'clusterBackendList',
    parameters: { site: 'string' },
    required: [],
    async run({ site }, context) {
      const { backends } = await context.map.refresh();
      const rows = backends.map((backend) => toRow(backend, context));
      return rows.filter((row) => site === undefined || row.site === site);
    },
  },
  {
    name: 'clusterSiteList',
    parameters: {},
    required: [],
    async run(_, context) {
      const { sites } = await context.map.refresh();
      return sites.map(({ name, status, loadBalancer }) => ({ name, status, loadBalancer }));
    },
  },
  {
    name: 'clusterSiteReachabilityList',
    parameters: { srcSite: 'string', destSite: 'string' },
    required: [],
    async run({ srcSite, destSite }, context) {
      const rows = await context.geodb.readReachability();
      const named = rows.map((row) => ({
        srcSite: siteName(row.sourceSiteId, context),
        destSite: siteName(row.targetSiteId, context),
        reachable: row.reachable === 1 ? 'yes' : 'no',
        checkedAt: row.checkedAtMs === null ? null : new Date(row.checkedAtMs).toISOString(),
      }));
      return named.filter(
        (row) =>
          (srcSite === undefined || row.srcSite === srcSite) &&
          (destSite === undefined || row.destSite === destSite),
      );
    },
  },
];

/** A Backend by name, freshly read; throws CommandError where there is none. */
export async function findBackend(host: string, { map }: BackendContext): Promise<BackendRow> {
  const { backends } = await map.refresh();
  const backend = backends.find((one) => one.host === host);
  if (backend === undefined) throw new CommandError(EXIT_NO_HOST, `no Backend ${host}`);
  return backend;
}

async function updateBackend(parameters: Parameters, context: BackendContext) {
  const { status, loadFactor } = parameters;
  if (status !== undefined && !STATUSES.includes(String(status))) {
    throw new CommandError(EXIT_USAGE, `unknown status ${String(status)}`);
  }
  if (typeof loadFactor === 'number' && loadFactor > 100) {
    throw new CommandError(EXIT_USAGE, 'load factor above 100');
  }
  const backend = await findBackend(String(parameters['host']), context);
  const { geodb, map } = context;
  const writes = [
    ...(status === undefined ? [] : [geodb.writeStatus(backend.id, String(status))]),
    ...(typeof loadFactor === 'number' ? [geodb.writeLoadFactor(backend.id, loadFactor)] : []),
  ];
  const isThere = await Promise.all(writes);
  if (isThere.includes(false)) throw new CommandError(EXIT_NO_HOST, 'the Backend was removed');
  if (status !== undefined && status !== backend.status) {
    await geodb.deleteForceMove('backend', backend.id);
  }
  await map.refresh();
  return [];
}

function toRow(backend: BackendRow, context: BackendContext) {
  return {
    host: backend.host,
    site: siteName(backend.siteId, context),
    status: backend.status,
    loadFactor: String(backend.loadFactor),
    id: backend.id,
  };
}

const siteName = (id: string, { map }: BackendContext) =>
  map.current().sites.find((site) => site.id === id)?.name ?? id;
