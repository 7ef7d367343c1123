/**
 * Who was told lately that he is served here? Such a login may still be on its way into the list of
 * sessions: whoever ends the sessions of this user has to look twice.
 */
export interface RecentLogins {
  note(username: string): void;
  /** We were not asked for a while (not started yet, frozen): anybody may have been let in. */
  noteBlindness(): void;
  isRecent(username: string): boolean;
}

/** @param keepMs how long a login counts as recent, at least; at most twice as long. */
export function createRecentLogins(keepMs: number): RecentLogins {
  let newer = new Set<string>();
  let older = new Set<string>();
  let turnedAtMs = performance.now();
  let seesAgainAtMs = -Infinity;
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
    noteBlindness() {
      seesAgainAtMs = performance.now();
    },
    isRecent(username) {
      turn();
      if (performance.now() - seesAgainAtMs < keepMs) return true;
      return newer.has(username) || older.has(username);
    },
  };
}
