/** Measures every 10 s whether the load balancers of the other sites greet, and writes it down. */
import { describeError } from '../../../platform/describe-error.ts';
import type { ClusterMapReader } from './cluster-map.ts';
import type { Geodb, SiteRow } from './geodb.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics-text.ts';
import { openTextClient } from './text-client.ts';

const CHECK_EVERY_MS = 10_000;
const DEADLINE_MS = 3000;

export interface ReachabilityParts {
  readonly geodb: Geodb;
  readonly map: ClusterMapReader;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly hostAddresses: ReadonlyMap<string, string>;
  readonly imapPort: number;
}

/** Starts measuring; the answer stops it. */
export function startReachability(parts: ReachabilityParts): () => void {
  const check = async (own: SiteRow, other: SiteRow) => {
    const isReachable = await isGreeting(other, parts);
    parts.metrics.set('dovekeeper_site_reachable', isReachable ? 1 : 0, { site: other.name });
    await parts.geodb.writeReachability(own.id, other.id, isReachable);
  };
  const timer = setInterval(() => {
    const own = parts.map.ownSite();
    if (own === undefined) return;
    for (const other of parts.map.current().sites) {
      if (other.id === own.id) continue;
      check(own, other).catch((error: unknown) =>
        parts.log.warn('site reachability not written', { error: describeError(error) }),
      );
    }
  }, CHECK_EVERY_MS);
  return () => clearInterval(timer);
}

async function isGreeting({ loadBalancer }: SiteRow, parts: ReachabilityParts): Promise<boolean> {
  const address = loadBalancer === null ? undefined : parts.hostAddresses.get(loadBalancer);
  if (address === undefined) return false;
  const client = openTextClient({ address, port: parts.imapPort }, DEADLINE_MS);
  try {
    await client.readUntil((line) => line.startsWith('* OK'));
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}
