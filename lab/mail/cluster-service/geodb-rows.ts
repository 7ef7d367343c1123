/** Rows of the GeoDB as the cluster service knows them. Absent columns get what the schema means by it. */
import type cassandra from 'cassandra-driver';

export interface Home {
  readonly username: string;
  readonly backendId: string;
  readonly altBackendId: string | null;
  readonly moving: string | null;
  readonly lastMovedMs: number | null;
  /** WRITETIME(backend_id) in microseconds. */
  readonly writtenAtMicros: number;
}

export interface SiteRow {
  readonly id: string;
  readonly name: string;
  readonly loadBalancer: string | null;
  readonly status: string;
}

export interface BackendRow {
  readonly id: string;
  readonly siteId: string;
  readonly host: string;
  readonly status: string;
  readonly loadFactor: number;
}

export interface ForceMoveRow {
  readonly scope: 'site' | 'backend';
  readonly targetId: string;
  readonly id: string;
  readonly percentage: number;
  readonly destinations: readonly string[];
}

export interface ReachabilityRow {
  readonly sourceSiteId: string;
  readonly targetSiteId: string;
  readonly reachable: number;
  readonly checkedAtMs: number | null;
}

type Row = cassandra.types.Row;

/** null: a row that has no home, for instance a lone `moving` column. */
export function toHome(row: Row): Home | null {
  const backendId = textOf(row, 'backend_id');
  if (backendId === null) return null;
  return {
    username: textOf(row, 'username') ?? '',
    backendId,
    altBackendId: textOf(row, 'alt_backend_id'),
    moving: textOf(row, 'moving'),
    lastMovedMs: timeOf(row, 'last_moved'),
    writtenAtMicros: numberOf(row, 'written_at') ?? 0,
  };
}

export function toSite(row: Row): SiteRow {
  return {
    id: textOf(row, 'id') ?? '',
    name: textOf(row, 'name') ?? '',
    loadBalancer: textOf(row, 'load_balancer'),
    status: textOf(row, 'status') ?? 'online',
  };
}

export function toBackend(row: Row): BackendRow {
  return {
    id: textOf(row, 'id') ?? '',
    siteId: textOf(row, 'site_id') ?? '',
    host: textOf(row, 'host') ?? '',
    status: textOf(row, 'status') ?? 'standby',
    loadFactor: numberOf(row, 'load_factor') ?? 100,
  };
}

export function toForceMove(row: Row): ForceMoveRow {
  return {
    scope: textOf(row, 'scope') === 'site' ? 'site' : 'backend',
    targetId: textOf(row, 'target') ?? '',
    id: textOf(row, 'id') ?? '',
    percentage: numberOf(row, 'percentage') ?? 0,
    destinations: (textOf(row, 'destinations') ?? '').split(',').filter(Boolean),
  };
}

export function toReachability(row: Row): ReachabilityRow {
  return {
    sourceSiteId: textOf(row, 'src_site_id') ?? '',
    targetSiteId: textOf(row, 'dest_site_id') ?? '',
    reachable: numberOf(row, 'reachable') ?? 0,
    checkedAtMs: timeOf(row, 'checked_at'),
  };
}

/** Also of a uuid; null where the column is null. */
export function textOf(row: Row, column: string): string | null {
  const value = row[column] as { toString(): string } | null | undefined;
  return value?.toString() ?? null;
}

function numberOf(row: Row, column: string): number | null {
  const value: unknown = row[column];
  return value === null || value === undefined ? null : Number(value);
}

function timeOf(row: Row, column: string): number | null {
  const value: unknown = row[column];
  return value instanceof Date ? value.getTime() : null;
}
