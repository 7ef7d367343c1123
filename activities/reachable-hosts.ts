/**
 * Whether we reach the doveadm of each Backend: asked again and again, remembered, judged by the policy.
 * Whoever asks while a host is being probed shares the answer.
 */
import type { Backend, BackendReachability } from '../workflows/domain/backend.ts';
import { judgeReachability } from '../workflows/policy/judge-reachability.ts';
import type { ActivityContext } from './context.ts';

const TIMEOUT_MS = 1_500;
/** Without a change the moment of the last look is written no more often than this. */
const REFRESH_MS = 10_000;
/** A Backend that nobody looked at for so long is no longer one of ours. */
const FORGOTTEN_MS = 3_600_000;
/** Up to here each host is probed whenever somebody asks. */
const FEW_HOSTS = 50;
/** At more of them an answer is good for a while, so that 50 hosts a second are probed at most. */
const MS_A_HOST = 20;
const LONGEST_GOOD_MS = 10_000;

type Probed = Pick<Backend, 'id' | 'host'>;
/** Answers the hosts that count as reachable. */
export type FindReachable = (backends: readonly Probed[]) => Promise<ReadonlySet<string>>;

/** One for all activities of a process: tasks and movers that look at the same time look once. */
export function createFindReachable(
  context: Pick<ActivityContext, 'doveadm' | 'store' | 'config' | 'logger'>,
): FindReachable {
  const { store, config } = context;
  const probe = createProbe(context);
  return async (backends) => {
    const [stored, failures] = await Promise.all([
      store.readReachability(config.site),
      Promise.all(backends.map(({ host }) => probe(host, goodForMs(backends.length)))),
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
      const looked = new Set(judged.map(({ backendId }) => backendId));
      const others = stored.filter(
        (each) => !looked.has(each.backendId) && nowMs - each.checkedAtMs < FORGOTTEN_MS,
      );
      await store.saveReachability(config.site, [...judged, ...others]);
    }
    const reached = backends.filter((_, index) => judged[index]?.isReachable === true);
    return new Set(reached.map(({ host }) => host));
  };
}

/** One that does not answer is asked again every time. */
const goodForMs = (hosts: number): number =>
  hosts <= FEW_HOSTS ? 0 : Math.min(LONGEST_GOOD_MS, hosts * MS_A_HOST);

/** Why a host does not answer; null: it does, or did within the given time. */
function createProbe({
  doveadm,
}: Pick<ActivityContext, 'doveadm'>): (host: string, goodMs: number) => Promise<string | null> {
  const probing = new Map<string, Promise<string | null>>();
  const answeredAtMs = new Map<string, number>();
  const ask = async (host: string): Promise<string | null> => {
    try {
      const failure = await doveadm.findSilence(host, TIMEOUT_MS);
      if (failure === null) answeredAtMs.set(host, Date.now());
      else answeredAtMs.delete(host);
      return failure;
    } finally {
      probing.delete(host);
    }
  };
  return (host, goodMs) => {
    if (Date.now() - (answeredAtMs.get(host) ?? 0) < goodMs) return Promise.resolve(null);
    const running = probing.get(host) ?? ask(host);
    probing.set(host, running);
    return running;
  };
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
