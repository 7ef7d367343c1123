/** Which hosts answer at their doveadm. Whoever asks while a host is being probed shares the answer. */
import type { ActivityContext } from './context.ts';

const TIMEOUT_MS = 1_500;

export type FindReachable = (hosts: readonly string[]) => Promise<ReadonlySet<string>>;

/** One for all activities of a process: tasks and movers that look at the same time look once. */
export function createFindReachable(context: Pick<ActivityContext, 'doveadm'>): FindReachable {
  const probing = new Map<string, Promise<boolean>>();
  const probe = (host: string): Promise<boolean> => {
    const running = probing.get(host);
    if (running !== undefined) return running;
    const started = context.doveadm.isAnswering(host, TIMEOUT_MS).finally(() => {
      probing.delete(host);
    });
    probing.set(host, started);
    return started;
  };
  return async (hosts) => {
    const answers = await Promise.all(
      hosts.map(async (host) => ({ host, isAnswering: await probe(host) })),
    );
    return new Set(answers.filter((each) => each.isAnswering).map((each) => each.host));
  };
}
