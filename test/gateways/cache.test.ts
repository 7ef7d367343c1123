import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LiveEvent } from '../../gateways/cache/cache.ts';
import { createCache } from '../../gateways/cache/redis-cache.ts';
import type { ClosableCache } from '../../gateways/cache/redis-cache.ts';
import type { SiteMetrics } from '../../workflows/domain/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { testNet } from '../support/test-net.ts';
import { failureOf, logger, metrics } from './gateway-rig.ts';

const host = `127.${testNet()}.9.41`;
const port = 6380;
let server: ChildProcess | undefined;
const caches: ClosableCache[] = [];

function startRedis(): void {
  const options = ['--bind', host, '--port', String(port), '--save', '', '--appendonly', 'no'];
  server = spawn('redis-server', options, { stdio: 'ignore' });
}

async function stopRedis(): Promise<void> {
  const ended = new Promise((resolve) => server?.once('close', resolve));
  if (server?.kill('SIGKILL') === true) await ended;
  server = undefined;
}

function openCache(): ClosableCache {
  const cache = createCache({ url: `redis://${host}:${port}` }, logger, metrics);
  caches.push(cache);
  return cache;
}

const isThere = async (cache: ClosableCache): Promise<boolean> =>
  cache.ping().then(
    () => true,
    () => false,
  );

const siteMetrics = { takenAtMs: 1, attempts: {}, load: {} } as unknown as SiteMetrics;
const event = (siteName: string): LiveEvent => ({ siteName, topic: 'operations', atMs: 7 });

beforeAll(stopRedis);

afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  await stopRedis();
});

describe('cache', () => {
  it('keeps the latest metrics of each site apart', async () => {
    startRedis();
    const cache = openCache();
    await eventually('Redis answers', () => isThere(cache));
    const site = randomUUID();
    expect(await cache.readMetrics(site)).toBeNull();
    expect(await cache.saveMetrics(site, siteMetrics)).toBe(true);
    expect(await cache.readMetrics(site)).toEqual(siteMetrics);
    expect(await cache.readMetrics(`${site}2`)).toBeNull();
  });

  it('tells every listener of the site, until it stops listening', async () => {
    startRedis();
    const cache = openCache();
    await eventually('Redis answers', () => isThere(cache));
    const heard: string[] = [];
    const stopFirst = await cache.subscribe('north', () => heard.push('first'));
    await cache.subscribe('north', () => heard.push('second'));
    await cache.subscribe('south', () => heard.push('south'));
    expect(await cache.publish(event('north'))).toBe(true);
    await eventually('both heard it', () => heard.length === 2);
    expect(heard.sort()).toEqual(['first', 'second']);
    await stopFirst();
    await cache.publish(event('north'));
    await eventually('one heard it', () => heard.length === 3);
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  it('answers at once that it has nothing while Redis is away', async () => {
    const cache = openCache();
    const startedMs = Date.now();
    expect(await cache.saveMetrics('north', siteMetrics)).toBe(false);
    expect(await cache.readMetrics('north')).toBeNull();
    expect(await cache.publish(event('north'))).toBe(false);
    expect(await failureOf(cache.ping())).toMatchObject({
      system: 'redis',
      code: 'Unreachable',
      isTemporary: true,
    });
    expect(Date.now() - startedMs).toBeLessThan(1500);
  });

  it('comes back by itself, and so do its subscriptions', async () => {
    const cache = openCache();
    const heard: LiveEvent[] = [];
    await cache.subscribe('north', (one) => heard.push(one));
    startRedis();
    await eventually('an event arrives', async () => {
      await cache.publish(event('north'));
      return heard.length > 0;
    });
    await stopRedis();
    expect(await cache.readMetrics('north')).toBeNull();
    startRedis();
    heard.length = 0;
    await eventually('an event arrives again', async () => {
      await cache.publish(event('north'));
      return heard.length > 0;
    });
    expect(heard[0]).toEqual(event('north'));
  });

  it('gives up in time on a Redis that is frozen', async () => {
    startRedis();
    const cache = openCache();
    await eventually('Redis answers', () => isThere(cache));
    server?.kill('SIGSTOP');
    const startedMs = Date.now();
    expect(await cache.readMetrics('north')).toBeNull();
    expect(await cache.publish(event('north'))).toBe(false);
    expect(Date.now() - startedMs).toBeLessThan(2500);
    server?.kill('SIGCONT');
    await eventually('Redis answers again', () => isThere(cache));
  });
});
