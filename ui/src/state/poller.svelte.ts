/** Reads something again and again: abort, back-off, pause while hidden, and the age of what is shown. */
import { waitAfter } from './back-off.ts';
import { clock } from './clock.svelte.ts';

const MAX_INTERVAL_MS = 30_000;

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
  start(): void;
  stop(): void;
}

export function createPoller<T>(options: PollerOptions<T>): Poller<T> {
  return new TimedPoller(options);
}

class TimedPoller<T> implements Poller<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<Error | null>(null);
  isLoading = $state(false);
  updatedAtMs = $state<number | null>(null);
  readonly #options: PollerOptions<T>;
  #failures = 0;
  #isStarted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | null = null;
  #current: Promise<void> | null = null;
  #queued: Promise<void> | null = null;

  constructor(options: PollerOptions<T>) {
    this.#options = options;
  }

  get ageSeconds(): number | null {
    if (this.updatedAtMs === null) return null;
    return Math.max(0, Math.floor((clock.nowMs - this.updatedAtMs) / 1000));
  }

  /** One read at a time; whoever asks meanwhile gets the next one, which sees what happened since. */
  refresh(): Promise<void> {
    if (this.#current === null) {
      this.#current = this.#read().finally(() => {
        this.#current = null;
      });
      return this.#current;
    }
    this.#queued ??= this.#current.then(() => {
      this.#queued = null;
      return this.refresh();
    });
    return this.#queued;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    document.addEventListener('visibilitychange', this.#followVisibility);
    void this.refresh();
  }

  stop(): void {
    this.#isStarted = false;
    document.removeEventListener('visibilitychange', this.#followVisibility);
    clearTimeout(this.#timer);
    this.#running?.abort();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    const mine = new AbortController();
    this.#running = mine;
    this.isLoading = true;
    try {
      const value = await this.#options.load(mine.signal);
      if (!mine.signal.aborted) this.#put(value);
    } catch (cause) {
      if (mine.signal.aborted) return;
      this.#failures += 1;
      this.error = cause instanceof Error ? cause : new Error(String(cause));
    } finally {
      this.isLoading = false;
      this.#plan();
    }
  }

  #put(value: T): void {
    this.data = value;
    this.error = null;
    this.#failures = 0;
    this.updatedAtMs = Date.now();
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (!this.#isStarted || document.hidden) return;
    const { intervalMs, maxIntervalMs = MAX_INTERVAL_MS } = this.#options;
    const waitMs = waitAfter(this.#failures, intervalMs, maxIntervalMs);
    this.#timer = setTimeout(() => void this.refresh(), waitMs);
  }

  readonly #followVisibility = (): void => {
    if (document.hidden) clearTimeout(this.#timer);
    else void this.refresh();
  };
}
