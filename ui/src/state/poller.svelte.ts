/** Reads something again and again: abort, back-off, pause while hidden, and the age of what is shown. */
import { waitAfter } from './back-off.ts';
import { clock } from './clock.svelte.ts';

export interface PollerOptions<T> {
  readonly load: (signal: AbortSignal) => Promise<T>;
  /** Milliseconds between the end of one read and the start of the next. */
  readonly intervalMs: number;
  /** Longest wait after failures; 30 s where none is given. */
  readonly maxIntervalMs?: number;
}

export interface Poller<T> {
  /** The last good answer; undefined before the first. It stays while later reads fail. */
  readonly data: T | undefined;
  /** Why the last read failed; null after a good one. */
  readonly error: Error | null;
  readonly isLoading: boolean;
  readonly updatedAtMs: number | null;
  /** Whole seconds since the last good answer; null before it. */
  readonly ageSeconds: number | null;
  /** Reads at once, and begins a new interval. */
  refresh(): Promise<void>;
  /** Replaces the data with what is known better, for example from the event stream. */
  set(data: T): void;
  start(): void;
  stop(): void;
}

export function createPoller<T>(options: PollerOptions<T>): Poller<T> {
  const maxIntervalMs = options.maxIntervalMs ?? 30_000;
  let data = $state.raw<T | undefined>(undefined);
  let error = $state.raw<Error | null>(null);
  let isLoading = $state(false);
  let updatedAtMs = $state<number | null>(null);
  let failures = 0;
  let isStarted = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | null = null;
  let current: Promise<void> | null = null;
  let queued: Promise<void> | null = null;

  function put(value: T): void {
    data = value;
    error = null;
    failures = 0;
    updatedAtMs = Date.now();
  }

  /** One read at a time; whoever asks meanwhile gets the next one, which sees what happened since. */
  function refresh(): Promise<void> {
    if (current === null) {
      current = read().finally(() => {
        current = null;
      });
      return current;
    }
    queued ??= current.then(() => {
      queued = null;
      return refresh();
    });
    return queued;
  }

  async function read(): Promise<void> {
    clearTimeout(timer);
    const mine = new AbortController();
    running = mine;
    isLoading = true;
    try {
      const value = await options.load(mine.signal);
      if (!mine.signal.aborted) put(value);
    } catch (cause) {
      if (mine.signal.aborted) return;
      failures += 1;
      error = cause instanceof Error ? cause : new Error(String(cause));
    } finally {
      isLoading = false;
      plan();
    }
  }

  function plan(): void {
    clearTimeout(timer);
    if (!isStarted || document.hidden) return;
    const waitMs = waitAfter(failures, options.intervalMs, maxIntervalMs);
    timer = setTimeout(() => void refresh(), waitMs);
  }

  function followVisibility(): void {
    if (document.hidden) clearTimeout(timer);
    else void refresh();
  }

  return {
    get data() {
      return data;
    },
    get error() {
      return error;
    },
    get isLoading() {
      return isLoading;
    },
    get updatedAtMs() {
      return updatedAtMs;
    },
    get ageSeconds() {
      if (updatedAtMs === null) return null;
      return Math.max(0, Math.floor((clock.nowMs - updatedAtMs) / 1000));
    },
    refresh,
    set: put,
    start() {
      if (isStarted) return;
      isStarted = true;
      document.addEventListener('visibilitychange', followVisibility);
      void refresh();
    },
    stop() {
      isStarted = false;
      document.removeEventListener('visibilitychange', followVisibility);
      clearTimeout(timer);
      running?.abort();
    },
  };
}
