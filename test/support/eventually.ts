import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the condition holds; fails with what was last seen when the deadline is over. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + (options.timeoutMs ?? 20_000);
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`did not come true in time: ${what}`);
    await sleep(options.intervalMs ?? 50);
  }
}
