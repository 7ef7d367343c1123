/**
 * Questions for one thing each, asked together where many come at once: a crowd that logs in costs the GeoDB a few
 * requests, and one login by itself waits for nobody.
 */

/** One answer for each key that has one; whoever is not among them has none. */
export type AskMany<T> = (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** Two, so that an answer that gets lost does not hold up everybody else. */
const REQUESTS_AT_ONCE = 2;
/** A larger question is not cheaper, and its first answer waits for its last. */
const KEYS_AT_ONCE = 25;

interface Question<T> {
  readonly key: string;
  answer(value: T | null): void;
  fail(reason: unknown): void;
}

/**
 * Each answer is as fresh as if it had been asked for alone: nobody is given one to a request that was sent before
 * he came. Rejects as the request does in which his key was.
 *
 * @param askOne null: there is none @param askMany as many keys as differ, 25 at most
 */
export function createJointAsker<T>(
  askOne: (key: string) => Promise<T | null>,
  askMany: AskMany<T>,
): (key: string) => Promise<T | null> {
  const waiting: Question<T>[] = [];
  let running = 0;
  const ask = async (questions: readonly Question<T>[]): Promise<void> => {
    const keys = [...new Set(questions.map(({ key }) => key))];
    const [first = ''] = keys;
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
  const run = async (): Promise<void> => {
    running += 1;
    while (waiting.length > 0) await ask(waiting.splice(0, KEYS_AT_ONCE));
    running -= 1;
  };
  return (key) =>
    new Promise((answer, fail) => {
      waiting.push({ key, answer, fail });
      if (running < REQUESTS_AT_ONCE) void run();
    });
}
