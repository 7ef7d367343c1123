/**
 * Questions for one thing each, asked together where many come at once: a crowd that logs in costs the GeoDB a few
 * requests instead of one each, and one login by itself waits for nobody.
 */

/** One answer for each key that has one; whoever is not among them has none. */
export type AskMany<T> = (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** While so many requests are on their way, whoever comes waits for the next one, */
const REQUESTS_AT_ONCE = 2;
/** but not when the last one was sent so long ago: then it is late, and others need not be. */
const LATE_MS = 50;
const KEYS_AT_ONCE = 25;
/** Nobody waits longer for an answer: what was asked before that is asked for no more. */
const LONGEST_PATIENCE_MS = 2_000;

interface Question<T> {
  readonly key: string;
  readonly atMs: number;
  answer(value: T | null): void;
  fail(reason: unknown): void;
}

/**
 * Each answer is as fresh as if it had been asked for alone: nobody is given one to a request that was sent before
 * he came. Rejects as the request does in which his key was, and where its turn never came.
 *
 * @param askOne null: there is none @param askMany as many keys as differ, 25 at most
 */
export function createJointAsker<T>(
  askOne: (key: string) => Promise<T | null>,
  askMany: AskMany<T>,
): (key: string) => Promise<T | null> {
  const waiting: Question<T>[] = [];
  let running = 0;
  let sentAtMs = -Infinity;
  const ask = async (questions: readonly Question<T>[]): Promise<void> => {
    const keys = [...new Set(questions.map(({ key }) => key))];
    const [first = ''] = keys;
    sentAtMs = performance.now();
    try {
      const answers = keys.length === 1 ? null : await askMany(keys);
      const only = answers === null ? await askOne(first) : null;
      for (const { key, answer } of questions) {
        answer(answers === null ? only : (answers.get(key) ?? null));
      }
    } catch (error) {
      for (const { fail } of questions) fail(error);
    }
  };
  const takeNext = (): readonly Question<T>[] => {
    const oldestMs = performance.now() - LONGEST_PATIENCE_MS;
    while (waiting[0] !== undefined && waiting[0].atMs < oldestMs) {
      waiting.shift()?.fail(new Error('waited too long to be asked'));
    }
    return waiting.splice(0, KEYS_AT_ONCE);
  };
  const run = async (): Promise<void> => {
    running += 1;
    for (let next = takeNext(); next.length > 0; next = takeNext()) await ask(next);
    running -= 1;
  };
  const isLate = (): boolean => performance.now() - sentAtMs > LATE_MS;
  return (key) =>
    new Promise((answer, fail) => {
      waiting.push({ key, atMs: performance.now(), answer, fail });
      if (running < REQUESTS_AT_ONCE || isLate()) void run();
    });
}
