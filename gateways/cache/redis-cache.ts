/** The cache in Redis. While Redis is away every call answers at once that it has nothing. */
import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { describeError } from '../../platform/describe-error.ts';
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { GatewayError } from '../gateway-error.ts';
import { createMeasured } from '../measured.ts';
import type { Measured } from '../measured.ts';
import type { Cache, LiveEvent } from './cache.ts';
import { liveChannel, METRICS_KEPT_SECS, metricsKey } from './redis-keys.ts';

const COMMAND_TIMEOUT_MS = 500;
const CONNECT_TIMEOUT_MS = 1000;
const RECONNECT_AFTER_MS = 500;

export interface ClosableCache extends Cache {
  close(): Promise<void>;
}

type Listener = (event: LiveEvent) => void;

export function createCache(
  options: { readonly url: string },
  logger: Logger,
  metrics: Metrics,
): ClosableCache {
  const measured = createMeasured('redis', metrics, toRedisError);
  const commands = connect(options.url, logger, { enableOfflineQueue: false });
  const subscriptions = createSubscriptions(options.url, logger);
  return {
    saveMetrics: (siteName, siteMetrics) =>
      succeeds(measured, 'saveMetrics', () =>
        commands.set(metricsKey(siteName), JSON.stringify(siteMetrics), 'EX', METRICS_KEPT_SECS),
      ),
    readMetrics: async (siteName) => {
      try {
        const text = await measured('readMetrics', () => commands.get(metricsKey(siteName)));
        return text === null ? null : (JSON.parse(text) as SiteMetrics);
      } catch {
        return null;
      }
    },
    publish: (event) =>
      succeeds(measured, 'publish', () =>
        commands.publish(liveChannel(event.siteName), JSON.stringify(event)),
      ),
    subscribe: (siteName, onEvent) => subscriptions.subscribe(siteName, onEvent),
    ping: async () => {
      await measured('ping', () => commands.ping());
    },
    close: async () => {
      commands.disconnect();
      subscriptions.close();
      await Promise.resolve();
    },
  };
}

/** Connects by itself, again and again; a command during an outage fails at once. */
function connect(
  url: string,
  logger: Logger,
  more: Pick<RedisOptions, 'enableOfflineQueue' | 'maxRetriesPerRequest'>,
): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => RECONNECT_AFTER_MS,
    ...more,
  });
  let isAway = false;
  redis.on('ready', () => {
    if (isAway) logger.info('redis answers again');
    isAway = false;
  });
  redis.on('error', (error: Error) => {
    if (!isAway) logger.warn({ error }, 'redis does not answer');
    isAway = true;
  });
  return redis;
}

async function succeeds(
  measured: Measured,
  operation: string,
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await measured(operation, work);
    return true;
  } catch {
    return false;
  }
}

interface Subscriptions {
  subscribe(siteName: string, listener: Listener): Promise<() => Promise<void>>;
  close(): void;
}

/** One connection for all listeners; it subscribes anew by itself after an outage. */
function createSubscriptions(url: string, logger: Logger): Subscriptions {
  const listeners = new Map<string, Set<Listener>>();
  let redis: Redis | undefined;
  const open = (): Redis => {
    const opened = connect(url, logger, {
      // Kept until the connection is there, so that a subscription outlives an outage at start-up.
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
    });
    opened.on('message', (channel: string, text: string) => {
      const event = parseEvent(text);
      if (event === null) return;
      for (const listener of listeners.get(channel) ?? []) listener(event);
    });
    // A command that timed out during an outage is made up for here.
    opened.on('ready', () => {
      const channels = [...listeners.keys()];
      if (channels.length > 0) opened.subscribe(...channels).catch(() => undefined);
    });
    return opened;
  };
  return {
    subscribe: async (siteName, listener) => {
      const channel = liveChannel(siteName);
      redis ??= open();
      const known = listeners.get(channel);
      if (known === undefined) {
        listeners.set(channel, new Set([listener]));
        await redis.subscribe(channel).catch(() => undefined);
      } else {
        known.add(listener);
      }
      return async () => {
        const left = listeners.get(channel);
        left?.delete(listener);
        if (left?.size !== 0) return;
        listeners.delete(channel);
        await redis?.unsubscribe(channel).catch(() => undefined);
      };
    },
    close: () => redis?.disconnect(),
  };
}

function parseEvent(text: string): LiveEvent | null {
  try {
    return JSON.parse(text) as LiveEvent;
  } catch {
    return null;
  }
}

/** ioredis throws plain errors: whatever went wrong, the cache was not there. */
function toRedisError(error: unknown, operation: string): GatewayError {
  const what = describeError(error);
  return new GatewayError(
    `Redis: ${operation} failed: ${what}`,
    { system: 'redis', operation, code: 'Unreachable', isTemporary: true },
    error,
  );
}
