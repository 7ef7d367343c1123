/**
 * A login of a user whose move is under way: the old Backend knows when the move has ended, and where
 * to. So the login goes straight to the new home, and not by way of the old one.
 */
import type { ServingHost } from './where.ts';

/** Below the 2 s that Dovecot waits for a lookup, with what the login has waited before. */
const PATIENCE_MS = 1_500;

/**
 * null: it is not moved, or the Backend does not say; it will pass the login on where need be.
 *
 * @param waitedMs how long the login has been waiting for this move
 */
export type MoveAwaiter = (
  source: ServingHost,
  username: string,
  waitedMs: number,
) => Promise<ServingHost | null>;

/** @param port where the cluster service of a Backend answers. The awaiter never rejects. */
export function createMoveAwaiter(port: number): MoveAwaiter {
  return async ({ address }, username, waitedMs) => {
    const url = `http://${address}:${port}/where?u=${encodeURIComponent(username)}`;
    try {
      const response = await fetch(url, {
        signal: AbortSignal.timeout(Math.max(0, Math.round(PATIENCE_MS - waitedMs))),
      });
      const text = await response.text();
      const [host, target] = text.split(' ');
      if (response.status !== 200 || host === undefined || target === undefined) return null;
      return { host, address: target };
    } catch {
      return null;
    }
  };
}
