/**
 * Who was told lately that he is served here? Such a login may still be on its way into the list of
 * sessions: whoever ends the sessions of this user has to look twice.
 */
export interface RecentLogins {
  note(username: string): void;
  isRecent(username: string): boolean;
}

/** @param keepMs how long a login counts as recent, at least; at most twice as long. */
export function createRecentLogins(keepMs: number): RecentLogins {
  let newer = new Set<string>();
  let older = new Set<string>();
  let turnedAtMs = performance.now();
  const turn = () => {
    const ageMs = performance.now() - turnedAtMs;
    if (ageMs < keepMs) return;
    older = ageMs < 2 * keepMs ? newer : new Set();
    newer = new Set();
    turnedAtMs = performance.now();
  };
  return {
    note(username) {
      turn();
      newer.add(username);
    },
    isRecent(username) {
      turn();
      return newer.has(username) || older.has(username);
    },
  };
}
