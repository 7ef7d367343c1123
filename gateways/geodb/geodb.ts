/** The GeoDB: sites, Backends, where each user lives, feature flags. It is the truth. */
import type { Backend, BackendStatus } from '../../workflows/domain/backend.ts';
import type { FeatureLevel, FeatureState, Feature } from '../../workflows/domain/feature-flag.ts';
import type { Reference } from '../../workflows/domain/references.ts';
import type { Site, SiteReachability } from '../../workflows/domain/site.ts';
import type { UserHome, UserHomeWithWriteTime } from '../../workflows/domain/user-move.ts';

export interface RawFeatureRow {
  readonly level: FeatureLevel;
  readonly targetId: string;
  readonly feature: Feature;
  readonly state: FeatureState;
}

export interface UserPage {
  readonly users: readonly UserHome[];
  /** Opaque; null: no more. Survives a restart of the process. */
  readonly cursor: string | null;
}

/** One plain write of a forced move. */
export interface ForcedHome {
  readonly username: string;
  readonly targetId: string;
  readonly sourceId: string;
  /** Microseconds; must be above every timestamp written before. */
  readonly timestampMicros: number;
}

export interface SiteOwner {
  readonly owner: string;
  readonly epoch: number;
}

/** Every method throws GatewayError{system: 'cassandra'}. */
export interface Geodb {
  readSites(): Promise<Site[]>;
  readBackends(siteId?: string): Promise<Backend[]>;
  /** null: `cluster_settings` does not exist (documented compatibility: everything enabled). */
  readFeatureRows(): Promise<RawFeatureRow[] | null>;
  /** `state` null removes the row. */
  writeFeature(
    row: Omit<RawFeatureRow, 'state'> & { readonly state: FeatureState | null },
  ): Promise<void>;
  readSiteReachability(): Promise<SiteReachability[]>;

  readUser(username: string): Promise<UserHomeWithWriteTime | null>;
  /** Homes with write times of the named users, by name; unknown users are absent. */
  readUsers(usernames: readonly string[]): Promise<Map<string, UserHomeWithWriteTime>>;
  /** Users that live on a Backend in token order, a page at a time (limit at most 1000). */
  pageUsers(
    backendId: string,
    options: { limit: number; cursor: string | null },
  ): Promise<UserPage>;
  /** Fresh count at LOCAL_QUORUM. */
  countUsers(backendId: string): Promise<number>;
  /**
   * Count of users by Backend id, from one scan of the token ranges: side by side where somebody waits for it
   * (the default), else one after the other.
   */
  countAllUsers(options?: { readonly isHurried?: boolean }): Promise<Map<string, number>>;
  /** Users whose `moving` is set, at most `limit`. */
  readMovingUsers(limit: number): Promise<UserHomeWithWriteTime[]>;

  /** Home = target, not moving, with an explicit write timestamp: never conditional. */
  forceHomes(homes: readonly ForcedHome[]): Promise<void>;
  /** Not moving any more, the home stays: a plain write that is above every timestamp before. */
  clearMoves(users: readonly { username: string; timestampMicros: number }[]): Promise<void>;
  /** Fallback where no doveadm of the site answers: LWT on the status read before. False: somebody else changed it. */
  changeStatusDirectly(backendId: string, from: BackendStatus, to: BackendStatus): Promise<boolean>;
  readBackend(backendId: string): Promise<Backend | null>;
  /** Whether the cluster service may give new users a home on this Backend (`cluster_settings`, `accept_new_users`). */
  setAcceptNewUsers(backendId: string, isAccepting: boolean): Promise<void>;

  /** What points to a site or a Backend, without users. */
  readReferences(): Promise<Reference[]>;
  /** Removes the rows of one reference; gone already is fine. Never a user's row. */
  removeReference(reference: Reference): Promise<void>;

  readOwner(siteName: string): Promise<SiteOwner | null>;
  /** Writes the first claim; answers the row that holds now. */
  claimIfFree(siteName: string, owner: string): Promise<SiteOwner>;
  /** Takes the site over: raises the epoch. */
  claim(siteName: string, owner: string): Promise<SiteOwner>;
  ping(): Promise<void>;
}
