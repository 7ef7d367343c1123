/** Which client was served where and when, as the clients saw it. Times are of `now()`. */

export interface Gap {
  readonly user: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Where the client is back. */
  readonly backend: string;
}

/** A user had sessions on two Backends at once. */
export interface Overlap {
  readonly user: string;
  readonly fromMs: number;
  /** null: still. */
  toMs: number | null;
}

export interface FailedAttempt {
  readonly user: string;
  readonly atMs: number;
  readonly reason: string;
}

export type SessionKind = 'standing' | 'second';

export interface SessionBook {
  /** Milliseconds on a clock that never jumps. */
  now(): number;
  begin(user: string, backend: string, kind: SessionKind): { end(): void };
  addGap(gap: Gap): void;
  addFailure(user: string, reason: string): void;
  /** Where the standing client of each user is logged in, and since when. */
  readonly standing: ReadonlyMap<string, { readonly backend: string; readonly sinceMs: number }>;
  readonly gaps: readonly Gap[];
  readonly overlaps: readonly Overlap[];
  readonly failures: readonly FailedAttempt[];
}

interface OpenSession {
  readonly backend: string;
  overlap: Overlap | null;
}

export function openSessionBook(): SessionBook {
  const now = (): number => performance.now();
  const standing = new Map<string, { backend: string; sinceMs: number }>();
  const sessions = new Map<string, Set<OpenSession>>();
  const gaps: Gap[] = [];
  const overlaps: Overlap[] = [];
  const failures: FailedAttempt[] = [];
  const begin = (user: string, backend: string, kind: SessionKind): { end(): void } => {
    const ofUser = sessions.get(user) ?? new Set();
    sessions.set(user, ofUser);
    const isElsewhere = [...ofUser].some((other) => other.backend !== backend);
    const session: OpenSession = { backend, overlap: null };
    if (isElsewhere) {
      session.overlap = { user, fromMs: now(), toMs: null };
      overlaps.push(session.overlap);
    }
    ofUser.add(session);
    if (kind === 'standing') standing.set(user, { backend, sinceMs: now() });
    return {
      end() {
        ofUser.delete(session);
        if (kind === 'standing') standing.delete(user);
        closeOverlaps(user, ofUser, overlaps, now());
      },
    };
  };
  return {
    now,
    begin,
    addGap: (gap) => void gaps.push(gap),
    addFailure: (user, reason) => void failures.push({ user, atMs: now(), reason }),
    standing,
    gaps,
    overlaps,
    failures,
  };
}

/** An overlap ends when all that are left are on one Backend. */
function closeOverlaps(
  user: string,
  left: ReadonlySet<OpenSession>,
  overlaps: readonly Overlap[],
  atMs: number,
): void {
  const backends = new Set([...left].map(({ backend }) => backend));
  if (backends.size > 1) return;
  for (const overlap of overlaps) {
    if (overlap.user === user && overlap.toMs === null) overlap.toMs = atMs;
  }
}
