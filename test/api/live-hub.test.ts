import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLiveHub, MAX_STREAMS, type LiveMessage } from '../../api/live-hub.ts';
import type { Dependencies } from '../../api/dependencies.ts';
import type { LiveEvent } from '../../gateways/cache/cache.ts';

let speak: (event: LiveEvent) => void;
let subscriptions = 0;
let isRefusing = false;
let received: LiveMessage[];
let isEnded: boolean;

const dependencies = {
  config: { site: 'north' },
  logger: { debug: () => undefined },
  now: Date.now,
  cache: {
    subscribe: (_site: string, onEvent: (event: LiveEvent) => void) => {
      subscriptions += 1;
      if (isRefusing) return Promise.reject(new Error('no redis'));
      speak = onEvent;
      return Promise.resolve(() => Promise.resolve());
    },
  },
} as unknown as Dependencies;

const listener = () => ({
  send: (message: LiveMessage) => received.push(message),
  end: () => {
    isEnded = true;
  },
});
const topics = () =>
  received
    .filter(({ event }) => event === 'change')
    .map(({ data }) => (JSON.parse(data) as { topic: string }).topic);

beforeEach(() => {
  vi.useFakeTimers();
  subscriptions = 0;
  isRefusing = false;
  received = [];
  isEnded = false;
});
afterEach(() => {
  vi.useRealTimers();
});

describe('live hub', () => {
  it('passes on what Redis says, over one subscription', async () => {
    const hub = createLiveHub(dependencies);
    hub.add(listener());
    hub.add(listener());
    await vi.advanceTimersByTimeAsync(0);
    speak({ siteName: 'north', topic: 'operations', atMs: 1 });
    expect(topics()).toEqual(['operations', 'operations']);
    expect(subscriptions).toBe(1);
    await hub.close();
  });

  it('says refresh every five seconds while Redis is silent', async () => {
    const hub = createLiveHub(dependencies);
    hub.add(listener());
    await vi.advanceTimersByTimeAsync(15_000);
    expect(topics()).toEqual(['refresh', 'refresh', 'refresh']);
    await hub.close();
  });

  it('only beats its heart while Redis speaks', async () => {
    const hub = createLiveHub(dependencies);
    hub.add(listener());
    await vi.advanceTimersByTimeAsync(0);
    speak({ siteName: 'north', topic: 'metrics', atMs: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(topics()).toEqual(['metrics']);
    expect(received.filter(({ event }) => event === 'heartbeat')).toHaveLength(2);
    await hub.close();
  });

  it('subscribes again where that failed', async () => {
    isRefusing = true;
    const hub = createLiveHub(dependencies);
    hub.add(listener());
    await vi.advanceTimersByTimeAsync(5000);
    isRefusing = false;
    await vi.advanceTimersByTimeAsync(5000);
    speak({ siteName: 'north', topic: 'decisions', atMs: 1 });
    expect(topics()).toContain('decisions');
    await hub.close();
  });

  it('takes only so many streams', async () => {
    const hub = createLiveHub(dependencies);
    const accepted = Array.from({ length: MAX_STREAMS + 1 }, () => hub.add(listener()));
    expect(accepted.filter((isAccepted) => !isAccepted)).toHaveLength(1);
    await hub.close();
  });

  it('ends every stream when the process stops', async () => {
    const hub = createLiveHub(dependencies);
    hub.add(listener());
    await hub.close();
    expect(isEnded).toBe(true);
    expect(hub.size).toBe(0);
  });
});
