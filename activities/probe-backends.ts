/** Whether we reach the doveadm of each Backend: asked again and again, remembered, judged by the policy. */
import type { Backend, BackendReachability } from '../workflows/domain/backend.ts';
import { judgeReachability } from '../workflows/policy/judge-reachability.ts';
import type { ActivityContext } from './context.ts';

const TIMEOUT_MS = 1_500;
/** Without a change the moment of the last look is written no more often than this. */
const REFRESH_MS = 10_000;
/** A Backend that nobody looked at for so long is no longer one of ours. */
const FORGOTTEN_MS = 3_600_000;

type Probed = Pick<Backend, 'id' | 'host'>;

/** Looks at those given, all at once; answers the hosts that count as reachable. */
export type FindReachable = (backends: readonly Probed[]) => Promise<ReadonlySet<string>>;

/** One for all activities of a process: tasks and movers that look at the same time look once. */
export function createFindReachable(
  context: Pick<ActivityContext, 'store' | 'doveadm' | 'config' | 'logger'>,
): FindReachable {
  const looking = new Map<string, Promise<string | null>>();
  const look = (host: string): Promise<string | null> => {
    const running = looking.get(host);
    if (running !== undefined) return running;
    const started = context.doveadm.findSilence(host, TIMEOUT_MS).finally(() => {
      looking.delete(host);
    });
    looking.set(host, started);
    return started;
  };
  return (backends) => probeBackends(context, backends, look);
}

async function probeBackends(
  context: Pick<ActivityContext, 'store' | 'config' | 'logger'>,
  backends: readonly Probed[],
  findSilence: (host: string) => Promise<string | null>,
): Promise<ReadonlySet<string>> {
  const { store, config } = context;
  const [stored, failures] = await Promise.all([
    store.readReachability(config.site),
    Promise.all(backends.map(({ host }) => findSilence(host))),
  ]);
  const former = new Map(stored.map((each) => [each.backendId, each]));
  const nowMs = Date.now();
  const judged = backends.map(({ id: backendId }, index) => {
    const look = { backendId, failure: failures[index] ?? null, nowMs };
    const known = former.get(backendId) ?? null;
    return judgeReachability(known, look, config.doveadm.nameGraceSecs);
  });
  if (judged.some((each) => isNews(former.get(each.backendId), each))) {
    tell(context, backends, former, judged);
    const others = stored.filter(
      (each) =>
        !judged.some(({ backendId }) => backendId === each.backendId) &&
        nowMs - each.checkedAtMs < FORGOTTEN_MS,
    );
    await store.saveReachability(config.site, [...judged, ...others]);
  }
  const hosts = backends.filter((_, index) => judged[index]?.isReachable === true);
  return new Set(hosts.map(({ host }) => host));
}

function isNews(former: BackendReachability | undefined, judged: BackendReachability): boolean {
  if (former === undefined || judged.checkedAtMs - former.checkedAtMs >= REFRESH_MS) return true;
  return (
    former.isReachable !== judged.isReachable ||
    former.failure !== judged.failure ||
    former.nameFailingSinceMs !== judged.nameFailingSinceMs
  );
}

function tell(
  { logger }: Pick<ActivityContext, 'logger'>,
  backends: readonly Probed[],
  former: ReadonlyMap<string, BackendReachability>,
  judged: readonly BackendReachability[],
): void {
  for (const { backendId, isReachable, failure } of judged) {
    if ((former.get(backendId)?.isReachable ?? true) === isReachable) continue;
    const backend = backends.find(({ id }) => id === backendId)?.host;
    if (isReachable) logger.info({ backend }, 'doveadm is reachable again');
    else logger.warn({ backend, code: failure }, 'doveadm is not reachable: no target of moves');
  }
}
