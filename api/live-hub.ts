/**
 * Live updates of one process: one subscription at Redis for all streams. While Redis is silent it
 * says `refresh` every five seconds, so that pages stay right, only less quickly.
 */
import type { Dependencies } from './dependencies.ts';

const TICK_MS = 5000;
/** Task cache_metrics alone speaks every 5 s: longer silence is no live fan-out. */
const SILENT_AFTER_MS = 12_000;
export const MAX_STREAMS = 200;

export interface LiveMessage {
  readonly event: 'change' | 'heartbeat';
  readonly data: string;
}

export interface LiveListener {
  send(message: LiveMessage): void;
  /** The process stops. */
  end(): void;
}

export interface LiveHub {
  /** False: there are too many streams. */
  add(listener: LiveListener): boolean;
  remove(listener: LiveListener): void;
  /** Ends every stream and the subscription. */
  close(): Promise<void>;
  readonly size: number;
}

export function createLiveHub(dependencies: Dependencies): LiveHub {
  const { now } = dependencies;
  const listeners = new Set<LiveListener>();
  let lastEventAtMs = 0;
  const subscription = createSubscription(dependencies, (topic, atMs) => {
    lastEventAtMs = now();
    broadcast('change', { topic, atMs });
  });

  function broadcast(event: LiveMessage['event'], data: object): void {
    const message = { event, data: JSON.stringify(data) };
    for (const listener of listeners) listener.send(message);
  }
  function tick(): void {
    if (listeners.size === 0) return;
    subscription.keep();
    const isLive = now() - lastEventAtMs < SILENT_AFTER_MS;
    broadcast('heartbeat', { atMs: now(), isLive });
    if (!isLive) broadcast('change', { topic: 'refresh', atMs: now() });
  }
  const timer = setInterval(tick, TICK_MS);
  timer.unref();

  return {
    add: (listener) => {
      if (listeners.size >= MAX_STREAMS) return false;
      listeners.add(listener);
      subscription.keep();
      return true;
    },
    remove: (listener) => {
      listeners.delete(listener);
    },
    close: async () => {
      clearInterval(timer);
      for (const listener of listeners) listener.end();
      listeners.clear();
      await subscription.end();
    },
    get size() {
      return listeners.size;
    },
  };
}

/** Subscribes when first needed, and again at the next tick where that failed. */
function createSubscription(
  { cache, config, logger }: Dependencies,
  onEvent: (topic: string, atMs: number) => void,
) {
  let ending: Promise<(() => Promise<void>) | null> | null = null;
  const subscribe = async (): Promise<(() => Promise<void>) | null> => {
    try {
      return await cache.subscribe(config.site, ({ topic, atMs }) => {
        onEvent(topic, atMs);
      });
    } catch (error) {
      logger.debug({ error }, 'no live updates from redis');
      ending = null;
      return null;
    }
  };
  return {
    keep: (): void => {
      ending ??= subscribe();
    },
    end: async (): Promise<void> => {
      const end = await ending;
      await end?.();
    },
  };
}
