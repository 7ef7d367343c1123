/** Waiting for a batch move: as long as it gets on, and not much longer. Over a real GeoDB. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActivityContext } from '../../activities/context.ts';
import { runWatchedBatch } from '../../activities/watched-batch.ts';
import { openControllerRig, type ControllerRig } from '../support/controller-rig.ts';
import {
  COMMAND_LISTS,
  okAnswer,
  startRawDoveadm,
  type RawDoveadm,
  type Reply,
} from '../support/raw-doveadm.ts';
import { failureOf, logger, metrics } from './gateway-rig.ts';

const USERS = 8;
const SOURCES = ['hangs', 'freezes', 'slow', 'busy-for-others', 'quick'];
const STEP_MS = 3_500;
/** Longer than the time between two looks. */
const QUICK_MS = 1_200;

let rig: ControllerRig;
const servers: RawDoveadm[] = [];
const frozen = new Set<string>();

async function moveOff(host: string, ...numbers: number[]): Promise<void> {
  await rig.geodb.forceHomes(
    numbers.map((number) => ({
      username: `${host}-user${number}`,
      targetId: rig.backendId('target'),
      sourceId: rig.backendId(host),
      timestampMicros: Date.now() * 1000,
    })),
  );
}

/** What each of them does with the batch, while it does not answer. */
async function carryOut(host: string): Promise<void> {
  if (host === 'quick') {
    await sleep(QUICK_MS);
    await moveOff(host, 1, 2, 3, 4);
  }
  if (host === 'slow') {
    for (const number of [1, 2, 3, 4]) {
      await sleep(STEP_MS);
      await moveOff(host, number);
    }
  }
  if (host === 'busy-for-others') {
    for (const number of [5, 6, 7]) {
      await sleep(STEP_MS);
      await moveOff(host, number);
    }
    await moveOff(host, 1, 2, 3, 4);
  }
}

async function run(host: string): Promise<{ tookMs: number; looks: number }> {
  let looks = 0;
  const readUsers: typeof rig.geodb.readUsers = (usernames) => {
    looks += 1;
    return rig.geodb.readUsers(usernames);
  };
  const context: ActivityContext = {
    ...rig,
    geodb: { ...rig.geodb, readUsers },
    logger,
    metrics,
  };
  const startedAtMs = Date.now();
  const batch = {
    sourceId: rig.backendId(host),
    sourceHost: host,
    targetHost: 'target',
    usernames: [1, 2, 3, 4].map((number) => `${host}-user${number}`),
    minLastMovedSecs: null,
    maxParallel: 100,
    moveTimestampMicros: Date.now() * 1000,
  };
  await runWatchedBatch(context, batch, new AbortController().signal);
  return { tookMs: Date.now() - startedAtMs, looks };
}

beforeAll(async () => {
  rig = await openControllerRig({
    octet: 15,
    backends: [...SOURCES, 'target'].map((name, index) => {
      return { name, byte: index + 1, users: SOURCES.includes(name) ? USERS : 0 };
    }),
  });
  for (const [index, host] of SOURCES.entries()) {
    const endpoint = { host: rig.at(index + 1), port: 24_280 };
    const server = await startRawDoveadm(endpoint, async (call): Promise<Reply> => {
      if (frozen.has(host)) return 'silence';
      if (call.method === 'GET') return COMMAND_LISTS.whole;
      if (host === 'freezes') frozen.add(host);
      if (host === 'hangs' || host === 'freezes') return 'silence';
      await carryOut(host);
      return okAnswer(call.tag);
    });
    servers.push(server);
  }
});

afterAll(async () => {
  await rig.close();
  for (const server of servers) await server.close();
});

describe.concurrent('a batch move', () => {
  it.each([
    { host: 'hangs', leastMs: 6_000 },
    { host: 'freezes', leastMs: 3_000 },
  ])('is given up where nothing moves: $host', async ({ host, leastMs }) => {
    const startedAtMs = Date.now();
    const failure = await failureOf(run(host));
    const tookMs = Date.now() - startedAtMs;
    expect(failure).toMatchObject({ code: 'Timeout', operation: 'batchMove', isTemporary: true });
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    // the time-out of the whole batch is 90 s, and used to be 30 s
    expect(tookMs).toBeLessThan(25_000);
  });

  it.each(['slow', 'busy-for-others'])('is waited for while users move: %s', async (host) => {
    const { tookMs, looks } = await run(host);
    expect(tookMs).toBeGreaterThanOrEqual(3 * STEP_MS);
    expect(looks).toBeGreaterThan(0);
    const homes = await rig.homes();
    expect([1, 2, 3, 4].map((number) => homes[`${host}-user${number}`])).toEqual(
      Array(4).fill('target'),
    );
  });

  it('is not looked at before its source could be called silent', async () => {
    const { tookMs, looks } = await run('quick');
    expect(tookMs).toBeGreaterThanOrEqual(QUICK_MS);
    expect(looks).toBe(0);
  });
});
