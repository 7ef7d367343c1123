/** The forced move: write where users live, then end their sessions. */
import { GatewayError } from '../gateways/gateway-error.ts';
import type { LedgerRow } from '../workflows/domain/user-move.ts';
import type { ActivityContext } from './context.ts';
import { assertAwake } from './heartbeat.ts';
import type { MoveChunkInput } from './move-chunk.ts';
import { readHomesLately, type Looked } from './read-homes.ts';
import { saveRows } from './save-rows.ts';
import { isOpen } from './settle-rows.ts';

/** Above the attempt's own timestamp and the one after it, so that a source that thaws and finishes an old plan loses. */
const FORCE_LEAD_MICROS = 2;
const KICKS_AT_ONCE = 16;

export async function forceRows(
  context: ActivityContext,
  input: MoveChunkInput,
  rows: readonly LedgerRow[],
  source: { readonly isSourceSilent: boolean; readonly looked?: Looked },
): Promise<LedgerRow[]> {
  const open = rows.filter(isOpen);
  const homes =
    source.looked === undefined
      ? await context.geodb.readUsers(open.map(({ username }) => username))
      : await readHomesLately(context, open, source.looked);
  assertAwake();
  const sentAtMs = Date.now();
  const forced = open.map((row): LedgerRow => {
    const written = homes.get(row.username)?.homeWrittenAtMicros ?? 0;
    const former = row.moveTimestampMicros ?? 0;
    const isOurRepeat = row.isForced && former > written;
    const next = Math.max(sentAtMs * 1000, written, former + FORCE_LEAD_MICROS) + 1;
    const moveTimestampMicros = isOurRepeat ? former : next;
    const attempts = row.attempts + 1;
    return { ...row, state: 'sent', isForced: true, attempts, moveTimestampMicros, sentAtMs };
  });
  await saveRows(context, forced);
  await context.geodb.forceHomes(
    forced.map((row) => ({
      username: row.username,
      targetId: row.targetId,
      sourceId: row.sourceId,
      timestampMicros: row.moveTimestampMicros ?? 0,
    })),
  );
  const usernames = new Set(forced.map((row) => row.username));
  await endSessions(context, input.sourceHost, usernames, source);
  const byName = new Map(forced.map((row) => [row.username, row]));
  return rows.map((row) => byName.get(row.username) ?? row);
}

/**
 * `kick` on the source where it answers, and `proxyKick` on every proxy of the site: a silent source
 * holds sessions that only the proxies can end. A proxy that does not answer holds none that matter:
 * its clients are cut off with it.
 */
async function endSessions(
  context: ActivityContext,
  sourceHost: string,
  usernames: ReadonlySet<string>,
  source: { readonly isSourceSilent: boolean },
): Promise<void> {
  const tolerant = async <T>(host: string, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      context.logger.warn({ host, code: error.code }, 'sessions could not be ended');
      return null;
    }
  };
  const endOn = (
    host: string,
    list: () => Promise<Set<string>>,
    kick: (username: string) => Promise<void>,
  ): Promise<null> =>
    tolerant<null>(host, async () => {
      const present = [...(await list())].filter((username) => usernames.has(username));
      await inParallel(present, (username) => tolerant(host, () => kick(username)));
      return null;
    });
  const proxies = context.config.proxyHosts.map((proxy) =>
    endOn(
      proxy,
      () => context.doveadm.listProxySessions(proxy, sourceHost),
      (username) => context.doveadm.proxyKick(proxy, username),
    ),
  );
  const own = source.isSourceSilent
    ? []
    : [
        endOn(
          sourceHost,
          () => context.doveadm.who(sourceHost),
          (username) => context.doveadm.kick(sourceHost, username),
        ),
      ];
  await Promise.all([...proxies, ...own]);
}

async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = [...items];
  const lanes = Array.from({ length: Math.min(KICKS_AT_ONCE, queue.length) }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  });
  await Promise.all(lanes);
}
