/** The GeoDB in Cassandra. */
import type { Backend, BackendStatus } from '../../workflows/domain/backend.ts';
import { BACKEND_STATUSES } from '../../workflows/domain/backend.ts';
import type { Site, SiteReachability, SiteStatus } from '../../workflows/domain/site.ts';
import type { CassandraSession, Row } from '../cassandra-session.ts';
import { msOf, numberOf, requiredText, textOf } from '../cassandra-values.ts';
import { featureMethods } from './features.ts';
import type { Geodb } from './geodb.ts';
import { GEODB_NAMES, type GeodbNames } from './names.ts';
import { ownerMethods } from './owners.ts';
import { referenceMethods } from './references.ts';
import { createStatements } from './statements.ts';
import type { GeodbStatements } from './statements.ts';
import { userMethods } from './users.ts';

/** @param names of tables and columns, where they are not ours */
export function createGeodb(
  session: CassandraSession,
  keyspace: string,
  names: GeodbNames = GEODB_NAMES,
): Geodb {
  const statements = createStatements(keyspace, names);
  return {
    ...clusterMethods(session, statements),
    ...featureMethods(session, statements),
    ...userMethods(session, statements, { keyspace, ...names.users }),
    ...referenceMethods(session, statements),
    ...ownerMethods(session, statements),
    ping: async () => {
      await session.readOne('ping', statements.ping, []);
    },
  };
}

type ClusterMethods = Pick<
  Geodb,
  'readSites' | 'readBackends' | 'readBackend' | 'readSiteReachability' | 'changeStatusDirectly'
>;

function clusterMethods(session: CassandraSession, statements: GeodbStatements): ClusterMethods {
  return {
    readSites: async () => {
      const rows = await session.read('readSites', statements.readSites, []);
      return rows.map(toSite);
    },
    readBackends: async (siteId) => {
      const rows = await session.read('readBackends', statements.readBackends, []);
      const backends = rows.map(toBackend).filter((backend) => backend !== null);
      return siteId === undefined ? backends : backends.filter((one) => one.siteId === siteId);
    },
    readBackend: async (backendId) => {
      const row = await session.readOne('readBackend', statements.readBackend, [backendId]);
      return row === null ? null : toBackend(row);
    },
    readSiteReachability: async () => {
      const { readSiteReachability } = statements;
      const rows = await session.read('readSiteReachability', readSiteReachability, []);
      return rows.map(toReachability);
    },
    changeStatusDirectly: async (backendId, from, to) => {
      const params = [to, backendId, from];
      return (await session.writeIf('changeStatusDirectly', statements.changeStatus, params))
        .applied;
    },
  };
}

const SITE_STATUSES: readonly string[] = ['online', 'offline', 'standby', 'evacuate'];

function toSite(row: Row): Site {
  const status = textOf(row, 'status')?.toLowerCase() ?? 'online';
  return {
    id: requiredText(row, 'id'),
    name: requiredText(row, 'name'),
    status: (SITE_STATUSES.includes(status) ? status : 'standby') as SiteStatus,
    loadBalancer: textOf(row, 'load_balancer'),
    tag: textOf(row, 'tag'),
  };
}

/** A row without host or site is half written: it is no Backend yet. */
function toBackend(row: Row): Backend | null {
  const host = textOf(row, 'host');
  const siteId = textOf(row, 'site_id');
  if (host === null || siteId === null) return null;
  return {
    id: requiredText(row, 'id'),
    siteId,
    host,
    status: toStatus(textOf(row, 'status')),
    loadFactor: Math.min(100, Math.max(0, numberOf(row, 'load_factor') ?? 100)),
    statusWrittenAtMicros: numberOf(row, 'status_written_at'),
  };
}

/** A word that we do not know is standby: neither a target nor a patient. */
function toStatus(text: string | null): BackendStatus {
  const status = (text ?? 'online').toLowerCase();
  return BACKEND_STATUSES.find((one) => one === status) ?? 'standby';
}

function toReachability(row: Row): SiteReachability {
  return {
    sourceSiteId: requiredText(row, 'source_site_id'),
    targetSiteId: requiredText(row, 'target_site_id'),
    isReachable: (numberOf(row, 'reachable') ?? 0) > 0,
    checkedAtMs: msOf(row, 'checked_at'),
  };
}
