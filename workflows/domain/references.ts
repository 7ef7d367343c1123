/** Rows that point to a site or a Backend, for the search of what points to nothing. */
export type ReferenceTable =
  'cluster_settings' | 'force_moves' | 'site_reachability' | 'backend_memory';

export interface Reference {
  readonly table: ReferenceTable;
  /** Scope of a setting or forced move; the site's name for what is ours; '' for reachability. */
  readonly scope: string;
  /** uuid of what it points to; for reachability `source/target`. */
  readonly target: string;
}

export interface ReferenceReading {
  readonly siteIds: readonly string[];
  readonly backendIds: readonly string[];
  readonly references: readonly Reference[];
  /** Users by the Backend that they point to. */
  readonly usersByBackend: Readonly<Record<string, number>>;
}
