/**
 * What the GeoDB said last about each user. While it is silent, logins are answered from here, at
 * once: after one failure it is asked again only every half second.
 */
import { describeError } from '../../../platform/describe-error.ts';
import type { Log } from './log.ts';

export interface Answer {
  readonly backendId: string | null;
  /** The GeoDB was asked at this moment or later, in ms since 1970; null: this is the last answer known. */
  readonly askedAtMs: number | null;
}

export interface LastAnswers {
  /** The answer of `read`, or the last one known; throws where there is none. */
  readOrRemember(username: string, read: () => Promise<string | null>): Promise<Answer>;
  remember(username: string, backendId: string): void;
  /** Every user with the id of the last known home. */
  entries(): Iterable<readonly [username: string, backendId: string]>;
  /** Whether the last question failed. */
  isSilent(): boolean;
}

export interface LastAnswersOptions {
  readonly maxUsers: number;
  /** How long a login waits for the GeoDB where there is a last answer, and where there is none. */
  readonly patienceMs: number;
  readonly lastPatienceMs: number;
  readonly askAgainMs: number;
  /** Tells a GeoDB that does not answer from a bad answer. */
  readonly isSilence: (error: unknown) => boolean;
  readonly log: Log;
}

/** The least recently used answers go first. */
export function createLastAnswers(options: LastAnswersOptions): LastAnswers {
  const answers = new Map<string, string>();
  let silentUntilMs = 0;
  const remember = (username: string, backendId: string) => {
    answers.delete(username);
    answers.set(username, backendId);
    if (answers.size > options.maxUsers) answers.delete(answers.keys().next().value ?? '');
  };
  const noteSilence = (error: unknown) => {
    if (silentUntilMs === 0) {
      options.log.warn('answering from memory', { error: describeError(error) });
    }
    silentUntilMs = Date.now() + options.askAgainMs;
  };
  return {
    async readOrRemember(username, read) {
      const last = answers.get(username);
      const remembered = (backendId: string): Answer => ({ backendId, askedAtMs: null });
      if (last !== undefined && Date.now() < silentUntilMs) return remembered(last);
      const askedAtMs = Date.now();
      const reading = read();
      // Also an answer that comes too late for this login is worth knowing.
      reading.then(
        (backendId) => void (backendId !== null && remember(username, backendId)),
        () => undefined,
      );
      try {
        const patienceMs = last === undefined ? options.lastPatienceMs : options.patienceMs;
        const backendId = await withPatience(reading, patienceMs);
        if (silentUntilMs !== 0) options.log.info('answering from the geodb again');
        silentUntilMs = 0;
        return { backendId, askedAtMs };
      } catch (error) {
        if (!options.isSilence(error)) throw error;
        noteSilence(error);
        if (last === undefined) throw error;
        return remembered(last);
      }
    },
    remember,
    entries: () => answers.entries(),
    isSilent: () => silentUntilMs !== 0,
  };
}

async function withPatience<T>(answer: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs} ms`)), patienceMs);
  });
  try {
    return await Promise.race([answer, impatience]);
  } finally {
    clearTimeout(timer);
  }
}
